"""A server that sends one event whenever the test says so, and keeps the connection open meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PATIENCE_SECONDS = 30


class EventSource(ThreadingHTTPServer):
    """`/events` sends `data: n` each time that `next_event` is set; every other path is answered at once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.next_event = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: EventSource

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        number = 0
        while self.path == "/events" and self.server.next_event.wait(_PATIENCE_SECONDS):
            self.server.next_event.clear()
            self.wfile.write(f"data: {number}\n\n".encode())
            number += 1

    def log_message(self, *_: object) -> None:
        """Discard the log line."""


@contextmanager
def event_source() -> Iterator[EventSource]:
    with EventSource() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
