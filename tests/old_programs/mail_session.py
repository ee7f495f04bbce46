"""smtpd of CPython 3.11, as it is, over the drop-ins: it takes mail from smtplib.

python mail_session.py path/to/smtpd.py
"""

from __future__ import annotations

import importlib.util
import smtplib
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from framer_adapters import asynchat, asyncore

LONG = "".join(f".{number}\n" for number in range(50_000))


def load(path: str) -> Any:
    """Import smtpd from a file; on importing it, Python 3.12 would say that it is gone."""
    spec = importlib.util.spec_from_file_location("smtpd", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        deprecated = getattr(warnings, "_deprecated")  # noqa: B009 - it is private
        setattr(warnings, "_deprecated", Mock())  # noqa: B010
        spec.loader.exec_module(module)
        setattr(warnings, "_deprecated", deprecated)  # noqa: B010
    return module


def session(port: int) -> None:
    """Send some mail, and some that is refused."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo("client.example")
        assert client.has_extn("8bitmime")
        for text in ("Subject: one\n\n.\n..\nbody\n", LONG):
            assert client.sendmail("a@example.org", ["b@example.org", "c@example.org"], text) == {}
        refused(552, client.sendmail, "a@example.org", "b@example.org", LONG * 3)
        refused(500, client.docmd, "SPAM")
        # Both at once: the second line is in the same chunk.
        client.send(b"NOOP\r\nRSET\r\n")
        assert [client.getreply()[0], client.getreply()[0]] == [250, 250]


def refused(code: int, call: Callable[..., Any], *arguments: str) -> None:
    """Assert that the server says no."""
    try:
        answer = call(*arguments)
    except smtplib.SMTPResponseException as error:
        answer = (error.smtp_code, error.smtp_error)
    assert answer[0] == code, answer


def main(path: str) -> None:
    """Serve and send, with both kinds of turns."""
    asynchat.install(force=True)
    smtpd = load(path)
    assert asyncore.dispatcher in smtpd.SMTPServer.__mro__
    assert asynchat.async_chat in smtpd.SMTPChannel.__mro__
    for use_poll in (False, True):
        channels: dict[int, Any] = {}
        server = smtpd.SMTPServer(("127.0.0.1", 0), None, data_size_limit=1_000_000, map=channels)
        server.process_message = process = Mock(return_value=None)
        serving = threading.Thread(
            target=asyncore.loop, kwargs={"timeout": 0.1, "use_poll": use_poll, "map": channels}
        )
        serving.start()
        try:
            session(server.socket.getsockname()[1])
        finally:
            server.close()
            serving.join(30)
        assert not serving.is_alive()
        first, second = (call.args for call in process.call_args_list)
        assert first[1:] == (
            "a@example.org",
            ["b@example.org", "c@example.org"],
            b"Subject: one\n\n.\n..\nbody",
        )
        assert second[3] == LONG.encode().rstrip(b"\n")
        print("use_poll", use_poll, "mails", process.call_count)


if __name__ == "__main__":
    main(*sys.argv[1:])
