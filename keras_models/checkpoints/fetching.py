"""Published weights on this machine: downloaded once, checked against the catalogue, kept in the user's cache.

A file's sha256 is checked whenever it is asked for, before anything reads it. A download that broke off starts again, since pooch,
which does the talking, cannot go on with one; the largest file is 5 MB.

The environment's MOBILE_SR_WEIGHTS may name a mirror: an address (http, https) or a folder that holds the files under their published
names, such as a copy of this cache. HTTP_PROXY, HTTPS_PROXY and NO_PROXY are heeded.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

from keras_models.catalogue import Published
from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.digest import sha256_of
from keras_models.system.errors import FetchError, OutputError, one_line

MIRROR = "MOBILE_SR_WEIGHTS"
PATIENCE_S = 30.0
"""For a connection, and for any silence during a download."""
_CHUNK = 1 << 16

Report = Callable[[int, int], None]
"""Told (bytes received, bytes in all)."""
Watch = Callable[[Published, str], AbstractContextManager[Report]]
"""Given what is fetched and from where, before the first byte; what it yields is told how it goes."""


@contextlib.contextmanager
def _silently(weights: Published, address: str) -> Iterator[Report]:
    yield lambda done, total: None


_watch: Watch = _silently


def watch_fetches(watch: Watch) -> None:
    """From now on `watch` is told of every download of this process; the command line says so what it does."""
    global _watch
    _watch = watch


def weights_folder() -> Path:
    """Where fetched files are kept."""
    return cache_folder() / "weights"


def place_of(weights: Published) -> Path:
    """Where the file lies, or would after `fetch`: in the mirror's folder, if that has it, else in the cache."""
    folder = _mirror_folder()
    if folder is not None and (folder / weights.file).is_file():
        return folder / weights.file
    return weights_folder() / weights.file


def is_fetched(weights: Published) -> bool:
    """Whether the right file is on this machine."""
    return _is_right(place_of(weights), weights)


def fetch(weights: Published) -> Path:
    """The checked file; downloads it if it is not there.

    Raises:
        FetchError: it cannot be had, or is not the published one; the message says which file to put where.
        OutputError: the cache cannot be written.
    """
    place, folder = place_of(weights), _mirror_folder()
    if _is_right(place, weights):
        return place
    if folder is not None:
        if place.parent == folder:
            raise FetchError(f"{place}: is not {weights.name} as published ({_seen(place)}): put the file of {weights.address} there")
        raise FetchError(f"{weights.name}: {MIRROR} is {folder}, which has no {weights.file}: put the file of {weights.address} there")
    try:
        make_folder(place.parent)
        with atomic_output(place) as scratch:
            _download(weights, _address(weights), scratch)
            if not _is_right(scratch, weights):
                raise FetchError(
                    f"{weights.name}: {_address(weights)} sent something else ({_seen(scratch)}, not {weights.size:,} bytes with sha256 "
                    f"{weights.sha256[:12]}...): nothing of it was read or kept: try another network, {_by_hand(weights, place)}"
                )
    except OutputError as error:
        raise OutputError(f"{error}; XDG_CACHE_HOME may name another cache, {MIRROR} a folder with {weights.file} in it") from None
    return place


def _download(weights: Published, address: str, target: Path) -> None:
    import pooch
    import requests
    import urllib3

    with _watch(weights, address) as report, target.open("wb") as file:
        received = _Received(file, weights.size, report)
        try:
            pooch.HTTPDownloader(chunk_size=_CHUNK, timeout=PATIENCE_S)(address, received, None)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise FetchError(f"{weights.name}: {_why(error, address, received)}, {_by_hand(weights, place_of(weights))}") from None
        except _TooMuchError:
            return  # what came is longer than the file, so it is another


class _TooMuchError(Exception):
    """More came than the file has."""


class _Received:
    """The file that a download goes into: it reports what came, and takes no more than the published file has."""

    def __init__(self, file: IO[bytes], most: int, report: Report) -> None:
        self.file, self.most, self.report, self.count = file, most, report, 0

    def write(self, data: bytes) -> None:
        self.count += len(data)
        self.file.write(data)
        if self.count > self.most:
            raise _TooMuchError
        self.report(self.count, self.most)

    def flush(self) -> None:
        self.file.flush()


def _why(error: Exception, address: str, received: _Received) -> str:
    """What went wrong with a download, in words."""
    import requests
    import urllib3

    server = urlsplit(address).netloc
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{server} answers {error.response.status_code} ({error.response.reason}) for {address}: try later"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy between here and {server} does not work ({_reason(error)}): check HTTP_PROXY and HTTPS_PROXY"
    # Of a first part that is shorter than a chunk nothing has been handed on.
    broke = isinstance(error, requests.exceptions.ChunkedEncodingError) or isinstance(_cause(error), urllib3.exceptions.ReadTimeoutError)
    if received.count or (broke and not isinstance(error, requests.Timeout)):
        return f"the connection to {server} broke after {received.count:,} of {received.most:,} bytes: run the command again"
    if isinstance(error, requests.Timeout):
        return f"{server} did not answer within {PATIENCE_S:g} s: try later"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{server} cannot be trusted ({_reason(error)}): check this machine's clock and certificates"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to {server} ({_reason(error)}): go online once"
    return f"{address} cannot be asked ({_reason(error)}): check {MIRROR}"


def _cause(error: BaseException) -> BaseException:
    """The innermost error that one of requests wraps."""
    inner = getattr(error, "reason", None) or next((word for word in error.args if isinstance(word, BaseException)), None)
    return _cause(inner) if isinstance(inner, BaseException) else error


def _reason(error: BaseException) -> str:
    """What the innermost error says: the others repeat the address."""
    error = _cause(error)
    said = error.strerror if isinstance(error, OSError) else None
    return re.sub(r"^\[Errno -?\d+\] ", "", said or one_line(Exception(str(error).rpartition(": ")[2]), 120))


def _by_hand(weights: Published, place: Path) -> str:
    return f"or download {weights.address} elsewhere and put it at {place}"


def _address(weights: Published) -> str:
    """Where to fetch from.

    Raises:
        FetchError: a mirror of another kind.
    """
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return weights.address
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise FetchError(f"{MIRROR}={mirror}: give an address that begins with http:// or https://, or a folder")
    return f"{mirror.rstrip('/')}/{quote(weights.file)}"


def _mirror_folder() -> Path | None:
    mirror = os.environ.get(MIRROR)
    return Path(mirror).expanduser().absolute() if mirror and "://" not in mirror else None


def _is_right(path: Path, weights: Published) -> bool:
    try:
        return path.stat().st_size == weights.size and sha256_of(path) == weights.sha256
    except OSError:
        return False


def _seen(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes with sha256 {sha256_of(path)[:12]}..."
