// A receiver of callbacks as the documentation shows it: the HMAC is taken over the parsed body, serialised again.
const crypto = require('crypto');
const http = require('http');

const secret = process.env.WEBHOOK_SECRET;
const limit = 64 << 10;

function answer(res, status) {
  res.writeHead(status);
  res.end();
}

const server = http.createServer((req, res) => {
  const chunks = [];
  let size = 0;
  req.on('data', (chunk) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  });
  req.on('end', () => {
    if (size > limit) return answer(res, 413);
    let body;
    try {
      body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    } catch {
      return answer(res, 400);
    }
    const expected = 'sha256=' + crypto.createHmac('sha256', secret).update(JSON.stringify(body)).digest('hex');
    const given = req.headers['x-scriptix-signature'] || '';
    const verified = given.length === expected.length && crypto.timingSafeEqual(Buffer.from(given), Buffer.from(expected));
    console.log(verified ? 'verified' : 'refused');
    answer(res, verified ? 200 : 401);
  });
});

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/hook`));

process.stdin.resume().on('end', () => process.exit(0)); // whoever started it is gone
