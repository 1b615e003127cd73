"""What the tests of several networks need: a server of weights on this machine."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def server():
    """A server of one file, `content`; `faults` go wrong one request after another."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            running.seen.append(self.headers.get("Range"))
            fault = running.faults.pop(0) if running.faults else None
            if isinstance(fault, int):
                self.send_error(fault)
                return
            content = b"\0" * len(running.content) if fault == "wrong" else running.content
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == "truncated" else content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.content, running.faults, running.seen = b"", [], []
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
