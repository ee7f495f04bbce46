"""A file server: what is below the directory that it is started in, and nothing else.

A file goes out as a producer: the output queue asks it for the next 64 KiB when the client has
taken the ones before, so a file of any size costs that much memory. It belongs to the queue,
which closes it at its end or when the connection is lost.

What was promised in Content-Length has to come, not more and not less, or the client takes the
rest of one answer for the start of the next. But files grow and shrink. So there are two ways:

- a small file is cut off at what was promised, and the connection stays;
- behind a large file the connection is closed, which ends the answer whatever happens. Then it can
  be pushed as it is, and adapters hand it to the kernel (sendfile) instead of reading it.

    python http_files.py --adapter trio --port 8080 &
    curl -O http://127.0.0.1:8080/http_files.py
"""

from __future__ import annotations

import errno
import mimetypes
import os
import re
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote_to_bytes

import serving
from http_responder import HttpChannel, Request

LARGE: Final = 1 << 20
"""From how many bytes on a file is large."""

MAX_OPEN: Final = 32
"""How many files may wait for one client; behind that many, too, the connection is closed.

One read can bring some thousand requests. A client repeats what was not answered (RFC 9112, 9.3.2).
"""

TARGET: Final = re.compile(rb"(?:(?i:https?)://[^/?#]*)?(/[^?#]*)")  # RFC 9112, 3.2.1 and 3.2.2


class Start:
    """The first bytes of a file, as a producer: as many as were promised, or an error."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.left = size
        self.close = file.close

    def read(self, size: int) -> bytes:
        """Return the next bytes. Raises EOFError when the file has become too short."""
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        if self.left and not data:
            raise EOFError(f"the file is {self.left} bytes shorter than it was")
        return data


class Files(HttpChannel):
    """A connection to the file server, for the files below `root`."""

    methods = frozenset({b"GET", b"HEAD"})

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root.resolve()
        self.open: list[BinaryIO] = []  # those that wait in the queue

    def request_received(self, request: Request) -> None:
        """Send the file, or say why not."""
        try:
            self.send(self.find(request.target))
        except PermissionError:
            self.respond_text(403, "not for you")
        except OSError as exc:
            if exc.errno in {errno.EMFILE, errno.ENFILE}:
                self.respond_text(503, "too much to do", b"Retry-After: 1")
            else:
                self.respond_text(404, "no such file")

    def find(self, target: bytes) -> Path:
        """Return the path of what is asked for, or raise OSError if there is no such file here.

        It is looked at when all escapes and all symbolic links are gone, or `%2e%2e`, a NUL or a
        link could lead out of the root.
        """
        match = TARGET.match(target)
        name = os.fsdecode(unquote_to_bytes(match[1])) if match else ".."
        if name.endswith("/"):
            name += "index.html"
        try:
            path = self.root.joinpath(name.lstrip("/")).resolve(strict=True)
        except (ValueError, RuntimeError) as exc:  # a NUL; links in a circle
            raise FileNotFoundError(errno.ENOENT, str(exc), name) from exc
        if ".." in name.split("/") or not path.is_relative_to(self.root) or not path.is_file():
            raise FileNotFoundError(errno.ENOENT, "not one of the files here", name)
        return path

    def send(self, path: Path) -> None:
        """Open the file and send it, or if that is all that is wanted, its header."""
        kind, encoding = mimetypes.guess_type(path.name)
        media_type = (kind if kind and not encoding else "application/octet-stream").encode()
        if self.head_only:
            self.respond(200, b"", path.stat().st_size, media_type)
            return
        file = path.open("rb")
        size = os.fstat(file.fileno()).st_size
        self.open = [*(other for other in self.open if not other.closed), file]
        if size >= LARGE or len(self.open) >= MAX_OPEN:
            self.keep_alive = False
        self.respond(200, file if size >= LARGE else Start(file, size), size, media_type)


if __name__ == "__main__":
    serving.main(partial(Files, Path.cwd()), "Serve the files in the working directory.")
