"""A web server on this machine that serves bytes, breaks off, and knows of ranges or does not."""

import http.server
import threading
from dataclasses import dataclass, field

import pytest

from kgraph import config


@dataclass
class FileServer:
    """What is served and how; a test changes it between requests.

    `breaks` holds, for the next answers, after how many bytes to break off.
    """

    url: str
    files: dict = field(default_factory=dict)
    ranges: bool = True
    breaks: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)

    def serve(self, name, content):
        """Serves a file; returns its address."""
        self.files[f"/{name}"] = content
        return f"{self.url}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET requests from `server.content`."""

    def do_GET(self):
        content, wanted = self.server.content, self.headers.get("Range")
        content.requests.append((self.path, wanted))
        if self.path not in content.files:
            self.send_error(404)
            return
        whole = content.files[self.path]
        start = int(wanted[len("bytes=") : -1]) if wanted and content.ranges else 0
        if start and start >= len(whole):
            self.send_error(416)
            return
        body = whole[start:]
        self.send_response(206 if start else 200)
        headers = {"Content-Length": len(body)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        for name, value in (headers | content.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: content.breaks.pop(0)] if content.breaks else body)

    def log_message(self, *args):
        """Nothing is written."""


@pytest.fixture
def file_server(homes, monkeypatch):
    """A running server with no files yet."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content = FileServer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.content
        server.shutdown()
        thread.join()


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """Empty folders in place of the user's; returns kgraph's and Keras's."""
    monkeypatch.setattr(config, "home", str(tmp_path / "home"))
    monkeypatch.setattr(config, "keras_home", str(tmp_path / "keras"))
    return tmp_path / "home", tmp_path / "keras"
