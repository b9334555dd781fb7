"""A receiver of callbacks as the documentation shows it: the HMAC is taken over the raw body."""

import hashlib
import hmac
import http.server
import json
import os
import sys
import threading

secret = os.environ["WEBHOOK_SECRET"].encode()
LIMIT = 64 << 10


def is_event(body):
    try:
        return bool(json.loads(body)["event"])
    except (ValueError, TypeError, KeyError):
        return False


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        if length > LIMIT:
            self.close_connection = True
            self.answer(413)
            return
        body = self.rfile.read(length)
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        verified = hmac.compare_digest(expected, self.headers.get("X-Scriptix-Signature", ""))
        print("verified" if verified else "refused", flush=True)
        self.answer((200 if is_event(body) else 400) if verified else 401)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print("http://127.0.0.1:%d/hook" % server.server_port, flush=True)
server.serve_forever()
