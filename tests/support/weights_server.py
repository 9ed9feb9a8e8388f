"""A server on the loopback that publishes weights, and misbehaves on request; and entries of the catalogue for files made here."""

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from keras_models.catalogue import Published

PATIENCE_S = 60


class WeightsServer(ThreadingHTTPServer):
    """Serves `files` (name -> bytes) at http://127.0.0.1:PORT/NAME.

    Attributes:
        files: what there is.
        answer: how a request for a file is answered, one of the functions below; may be changed at any time.
        asked: (method and address) of every request so far.
        half_sent: set when `stall` has sent half of a file.
        together: of `wait_for_another`.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked, self.answer = {}, [], whole
        self.half_sent, self.closing, self.together = threading.Event(), threading.Event(), threading.Barrier(2)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, name, data, **facts):
        """Serves bytes and gives the entry of the catalogue that describes them."""
        entry = Published(
            name=name,
            address=f"{self.address}/{facts.pop('file')}",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            **{"network": "LKDN", "scale": 2, "licence": "CC0-1.0", "credit": "made by a test", "use": "tests"} | facts,
        )
        self.files[entry.file] = data
        return entry


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        self.server.asked.append(f"GET {self.path}")
        data = self.server.files.get(self.path.rpartition("/")[2])
        if data is None:
            self.send_error(404)
        else:
            with contextlib.suppress(ConnectionError):  # who asked has gone
                self.server.answer(self, data)

    def log_message(self, *words):
        """Nothing."""

    def head(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()


def whole(handler, data):
    handler.head(len(data))
    handler.wfile.write(data)


def changed(handler, data):
    """As long, one byte another."""
    whole(handler, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])


def cut(handler, data):
    """The connection breaks after half of the file."""
    handler.head(len(data))
    handler.wfile.write(data[: len(data) // 2])


def endless(handler, data):
    """Ever more, without a length."""
    handler.send_response(200)
    handler.end_headers()
    while True:  # until the other side has had enough
        handler.wfile.write(data)


def login_page(handler, data):
    whole(handler, b"<html>Welcome to the hotel's network</html>")


def silent(handler, data):
    """No answer while the test lasts."""
    handler.server.closing.wait(PATIENCE_S)


def stall(handler, data):
    """Half of the file, then nothing."""
    cut(handler, data)
    handler.wfile.flush()
    handler.server.half_sent.set()
    handler.server.closing.wait(PATIENCE_S)


def wait_for_another(handler, data):
    """The file, once a second request has come."""
    handler.server.together.wait(PATIENCE_S)
    whole(handler, data)


@contextlib.contextmanager
def weights_server():
    """A server that runs inside of the block."""
    with WeightsServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
