"""A file server on loopback that can be told to cut, stall, drip, refuse and forget, and that counts what it sends."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Trouble:
    """What a server does with one request, in place of serving it."""

    cut_after: int | None = None
    """Bytes of the body before the line is cut."""
    stall_after: int | None = None
    """Bytes of the body before nothing comes any more."""
    drip: float | None = None
    """Seconds between single bytes."""
    status: int | None = None
    ignore_range: bool = False
    wrong_start: bool = False
    no_length: bool = False


@dataclass
class Server:
    """Files by path, what to do with coming requests, and what was asked and served."""

    files: dict[str, bytes]
    url: str = ""
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    """By path; the first is taken by the next request."""
    etag: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and ``Range`` of each request."""
    served: dict[str, int] = field(default_factory=dict)
    """Bytes of body sent, by path."""
    closing: threading.Event = field(default_factory=threading.Event)

    def asked(self, path: str) -> list[str | None]:
        return [range_ for asked, range_ in self.requests if asked == path]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            asked = self.headers.get("Range")
            server.requests.append((path, asked))
            queue = server.troubles.get(path, [])
            trouble = queue.pop(0) if queue else Trouble()
            if trouble.status or path not in server.files:
                self.send_error(trouble.status or 404)
                return
            content = server.files[path]
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            start = 0
            match = re.fullmatch(r"bytes=(\d+)-", asked or "")
            condition = self.headers.get("If-Range")
            if match and not trouble.ignore_range and condition in (None, etag):
                start = int(match[1])
                if start >= len(content):
                    self.send_error(416)
                    return
                said = start + 1 if trouble.wrong_start else start
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {said}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            if not trouble.no_length:
                self.send_header("Content-Length", str(len(content) - start))
            if server.etag:
                self.send_header("ETag", etag)
            self.end_headers()
            self._body(path, content[start:], trouble)

        def _body(self, path: str, body: bytes, trouble: Trouble) -> None:
            stop = trouble.cut_after if trouble.cut_after is not None else trouble.stall_after
            part = body if stop is None else body[:stop]
            try:
                if trouble.drip is None:
                    self.wfile.write(part)
                    self.wfile.flush()
                    server.served[path] = server.served.get(path, 0) + len(part)
                else:
                    for i in range(len(part)):
                        self.wfile.write(part[i : i + 1])
                        if server.closing.wait(trouble.drip):
                            return
                if trouble.stall_after is not None:
                    server.closing.wait(30)
            except OSError:
                pass  # the other side has had enough

    return Handler


@contextmanager
def serving(server: Server) -> Iterator[None]:
    """The server listens at its ``url`` as long as this lasts."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield
    finally:
        server.closing.set()
        http.shutdown()
        http.server_close()
        thread.join()
