"""A server on loopback with scripted replies."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def good(word="4", **more):
    message = {"role": "assistant", "content": f'{{"verdict": "{word}"}}', "refusal": None} | more
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


class Stub:
    """A server that answers each question by `answer(body, n)`: a status with a body, headers too, or a closed line."""

    def __init__(self, answer):
        self.answer, self.seen, self.times = answer, Counter(), []
        self.bodies, self.at_once, self.most_at_once = [], 0, 0
        self.lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.handle(self, body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def handle(self, handler, body):
        question = json.dumps(body["messages"])
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.bodies.append(body)
            self.times.append(time.monotonic())
            n = self.seen[question]
            self.seen[question] += 1
        try:
            status, what, *headers = self.answer(body, n)
        finally:
            with self.lock:
                self.at_once -= 1
        if status is None:  # half an answer, and the line is cut
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
            handler.wfile.flush()
            handler.close_connection = True
            return
        raw = what if isinstance(what, bytes) else json.dumps(what).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(raw)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)
