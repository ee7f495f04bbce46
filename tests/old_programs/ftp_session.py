"""pyftpdlib, as it is, over the drop-ins: it serves a session of ftplib, plain and over TLS.

    python ftp_session.py server.pem ca.pem

server.pem has the certificate for localhost and its key, ca.pem is what the client trusts.
"""

from __future__ import annotations

import contextlib
import ftplib
import importlib
import io
import logging
import random
import ssl
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from framer_adapters import asynchat, asyncore

asynchat.install(force=True)

servers: Any = importlib.import_module("pyftpdlib.servers")
handlers: Any = importlib.import_module("pyftpdlib.handlers")
authorizers: Any = importlib.import_module("pyftpdlib.authorizers")

FILE = random.Random(0).randbytes(3_000_000)


def session(client: ftplib.FTP, home: Path) -> None:
    """Do what a user does."""
    assert client.mkd("folder") == "/folder"
    client.cwd("folder")
    client.storbinary("STOR file", io.BytesIO(FILE))
    assert (home / "folder" / "file").read_bytes() == FILE
    received: list[bytes] = []
    client.retrbinary("RETR file", received.append)
    assert b"".join(received) == FILE
    received.clear()
    client.retrbinary("RETR file", received.append, rest=2_999_990)
    assert b"".join(received) == FILE[2_999_990:]
    lines: list[str] = []
    client.storlines("STOR lines", io.BytesIO(b"one\ntwo\n"))
    client.retrlines("RETR lines", lines.append)
    assert lines == ["one", "two"]
    assert [name for name, _ in client.mlsd(facts=["size"])] == ["file", "lines"]
    client.putcmd("SIZE nothing")
    assert client.getmultiline().startswith("550")
    for name in client.nlst():
        client.delete(name)
    client.cwd("..")
    client.rmd("folder")
    client.quit()


@contextlib.contextmanager
def serving(handler: Any, home: Path) -> Generator[Any]:
    """Run a server in a thread of its own."""
    authorizer = authorizers.DummyAuthorizer()
    authorizer.add_user("user", "secret", str(home), perm="elradfmwMT")
    handler.authorizer = authorizer
    server = servers.FTPServer(("127.0.0.1", 0), handler)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            server.serve_forever(timeout=0.1, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        thread.join(30)
    assert not thread.is_alive()


def main(certificate: str, authority: str) -> None:
    """Run a session over each kind of connection."""
    logging.basicConfig(level=logging.WARNING)
    home = Path.cwd()
    handlers.TLS_FTPHandler.certfile = certificate
    handlers.TLS_FTPHandler.tls_control_required = True
    handlers.TLS_FTPHandler.tls_data_required = True
    for theirs in (servers.FTPServer, handlers.FTPHandler, handlers.DTPHandler):
        assert {asyncore.dispatcher, asynchat.async_chat} <= set(theirs.__mro__)
    trusted = ssl.create_default_context(cafile=authority)
    for handler in (handlers.FTPHandler, handlers.TLS_FTPHandler):
        with serving(handler, home) as server:
            port = server.socket.getsockname()[1]
            for passive in (True, False):
                client = ftplib.FTP(timeout=30)  # noqa: S321 - just that
                if handler is handlers.TLS_FTPHandler:
                    client = ftplib.FTP_TLS(context=trusted, timeout=30)  # noqa: S321
                client.connect("localhost", port)
                client.login("user", "secret")
                client.set_pasv(passive)
                if isinstance(client, ftplib.FTP_TLS):
                    client.prot_p()
                session(client, home)
                client.close()
        print(handler.__name__, "served")


if __name__ == "__main__":
    main(*sys.argv[1:])
