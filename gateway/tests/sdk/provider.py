"""A provider that misbehaves on demand: the model's name says how."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Provider:
    """An HTTP server on a port of its own that keeps what it was sent."""

    def __init__(self):
        self.received = []
        provider = self

        class Handler(Misbehaviour):
            received = provider.received

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def calls(self, model):
        """The requests that asked for this model."""
        return [request for request in self.received if request["model"] == model]

    def stop(self):
        self.server.shutdown()


class Misbehaviour(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.received.append({"model": body["model"], "headers": dict(self.headers), "body": body})
        getattr(self, body["model"].replace("-", "_"))()

    def rate_limited(self):
        self.fail(429, "requests", "rate_limit_exceeded", [("retry-after", "0")])

    def out_of_quota(self):
        self.fail(429, "insufficient_quota", "insufficient_quota")

    def too_long(self):
        self.fail(400, "invalid_request_error", "context_length_exceeded")

    def broken(self):
        self.fail(500, "server_error", "boom")

    def locked_out(self):
        self.fail(401, "invalid_request_error", "invalid_api_key")

    def html(self):
        self.send(200, "text/html", b"<html>Sign in</html>")

    def cut_stream(self):
        self.begin_stream()
        self.send_event({"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]})
        self.close_connection = True

    def unfinished_stream(self):
        self.begin_stream()
        self.send_event({"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]})
        self.wfile.write(b"0\r\n\r\n")

    def fail(self, status, kind, code, headers=()):
        error = {"message": f"the provider says {code}", "type": kind, "param": "messages", "code": code}
        self.send(status, "application/json", json.dumps({"error": error}).encode(), headers)

    def send(self, status, content_type, body, headers=()):
        self.send_response(status)
        for name, value in [("content-type", content_type), ("content-length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send_event(self, rest):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **rest}
        event = f"data: {json.dumps(chunk)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.flush()

    def log_message(self, *_):
        pass
