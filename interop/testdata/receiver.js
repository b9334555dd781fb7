// A receiver of callbacks as the documentation shows it: the HMAC is taken over the parsed body, serialised again.
const crypto = require('crypto');
const http = require('http');

const secret = process.env.WEBHOOK_SECRET;

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const expected = 'sha256=' + crypto.createHmac('sha256', secret).update(JSON.stringify(body)).digest('hex');
    const given = req.headers['x-scriptix-signature'] || '';
    const verified = given.length === expected.length && crypto.timingSafeEqual(Buffer.from(given), Buffer.from(expected));
    console.log(verified ? 'verified' : 'refused');
    res.writeHead(verified ? 200 : 401);
    res.end();
  });
});

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/hook`));

process.stdin.resume().on('end', () => process.exit(0)); // whoever started it is gone
