"""A peer with a script: what each step is for the program, and what is left over fails."""

# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# What a parser gives may be anything, and so may what a test makes of it.

import errno
import io
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from framer.testing import CheckFailed, Script, ScriptedSocket
from framer_adapters.blocking import FramedStream


def test_a_conversation() -> None:
    """Partial reads and writes, and the end."""
    script = Script().read(b"on", b"e\ntw").write(b"ON", b"E\n").read(b"o\n").write(b"TWO\n").eof()
    with script, script.socket() as sock:
        with cast("io.BufferedReader", sock.makefile("rb")) as file:
            for line in file:
                sock.sendall(line.upper())
        assert sock.recv(1) == sock.recv(1) == b""


def test_the_adapter_over_it() -> None:
    """A FramedStream that blocks takes it for a socket."""
    script = Script().read(b"pi", b"ng\n").write(b"po", b"ng\n").eof()
    with script, FramedStream(script.socket()) as stream:  # type: ignore[arg-type]  # as good as one
        for frame in stream:
            assert frame == b"ping"
            stream.send_frame(b"pong")


def test_a_read_in_pieces() -> None:
    """One step may take several receives, but one receive never takes several steps."""
    with Script().read(b"abc", b"d").socket() as sock:
        assert [sock.recv(2), sock.recv(2), sock.recv(2)] == [b"ab", b"c", b"d"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionResetError, ConnectionResetError),
        (InterruptedError("signal"), InterruptedError),
        (errno.EAGAIN, BlockingIOError),
    ],
    ids=["class", "instance", "number"],
)
def test_errors(error: Any, kind: type[Exception]) -> None:
    """The next call fails, be it a receive or a send; the one after it goes on."""
    calls: list[Callable[[ScriptedSocket], object]] = [
        lambda sock: sock.recv(1),
        lambda sock: sock.send(b"x"),
    ]
    for call in calls:
        with Script().error(error).read(b"a").write(b"b").socket() as sock:
            with pytest.raises(kind):
                call(sock)
            assert (sock.recv(1), sock.send(b"b")) == (b"a", 1)


def test_waiting() -> None:
    """A moment in which there is nothing, for receives and sends."""
    script = Script().wait().read(b"a").wait().write(b"b")
    with script.socket() as sock:
        assert (sock.recv(1), sock.send(b"b")) == (b"a", 1)
    with script.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        assert sock.recv(1) == b"a"
        with pytest.raises(BlockingIOError):
            sock.send(b"b")
        assert sock.send(b"b") == 1


def test_a_send_passes_over_reads() -> None:
    """The peer said those before it waits, so the program may answer before it has read them."""
    with Script().read(b"a", b"b").write(b"X").eof().socket() as sock:
        assert sock.send(b"X") == 1
        assert (sock.recv(1), sock.recv(1), sock.recv(1)) == (b"a", b"b", b"")
        assert sock.send(b"") == 0


def test_a_receive_does_not_pass_over_a_write() -> None:
    """Both would wait for ever: the program is told so, and what the peer waits for."""
    with pytest.raises(CheckFailed, match=r"recv\(\) would wait for ever, .*waits for b'X'"):
        Script().write(b"X").read(b"a").socket().recv(1)
    with pytest.raises(CheckFailed, match="it has ended"):
        Script().socket().recv(1)


def test_what_should_not_have_been_sent() -> None:
    """Other bytes, or any at all where none are left to send; the script says where it stands."""
    sock = Script().read(b"a").write(b"yes").socket()
    with pytest.raises(CheckFailed, match="sent b'yet', and should have sent b'yes'") as caught:
        sock.send(b"yet")
    assert "0 of 2 steps are done; what is left:\n    read(b'a')\n    write(b'yes')" in str(
        caught.value
    )
    with pytest.raises(CheckFailed, match="nothing more is to be sent"):
        Script().read(b"a").socket().send(b"x")


def test_a_program_that_swallows_the_failure() -> None:
    """The script does not forget: the check at the end raises it again."""
    with (
        pytest.raises(CheckFailed, match="nothing more is to be sent"),
        Script().socket() as sock,
        pytest.raises(CheckFailed),
    ):
        sock.send(b"x")


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        (Script().read(b"a"), "read(b'a')"),
        (Script().write(b"a"), "write(b'a')"),
        (Script().error(KeyError("x")), "error(KeyError('x'))"),
        (Script().wait(), "wait()"),
        (Script().eof(), "eof()"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_left_over(script: Script, shown: str) -> None:
    """Any step that was not taken fails the test, by each of the three ways to check."""
    ways: list[Callable[[], object]] = [lambda: script.socket().check(), script.check]
    for way in ways:
        with pytest.raises(CheckFailed, match="left over") as caught:
            way()
        assert shown in str(caught.value)
    with pytest.raises(CheckFailed, match="left over"), script, script.socket():
        pass


def test_a_part_of_a_step_is_left_over() -> None:
    """Also a part of what was to be read or written."""
    sock = Script().read(b"abc").write(b"xyz").socket()
    assert (sock.recv(1), sock.send(b"x")) == (b"a", 1)
    with pytest.raises(CheckFailed, match=r"read\(b'bc'\)\n    write\(b'yz'\)"):
        sock.check()


def test_an_error_of_the_program_comes_first() -> None:
    """Where the test has failed already, what is left over does not hide why."""
    with pytest.raises(LookupError), Script().read(b"a") as script, script.socket():
        raise LookupError


def test_a_script_that_nobody_played() -> None:
    """It is a test that tests nothing."""
    with pytest.raises(CheckFailed, match="nobody has played"):
        Script().check()


def test_each_connection_plays_it_from_the_start() -> None:
    """One script, several connections."""
    script = Script().read(b"a")
    with script:
        for _ in range(2):
            sock = script.socket()
            assert isinstance(sock, ScriptedSocket)
            assert sock.recv(1) == b"a"


@pytest.mark.parametrize("step", ["read", "write"])
def test_a_step_of_nothing(step: str) -> None:
    """It would be taken for the end, so it is refused."""
    with pytest.raises(ValueError, match="eof"):
        getattr(Script(), step)(b"")


@pytest.mark.parametrize("world", ["asyncio", "trio", "anyio"])
def test_worlds_are_loaded_when_they_are_asked_for(
    world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each from its own module of framer_adapters, with the script from its start."""

    class Module:
        @staticmethod
        def connect(play: Any) -> Any:
            return play

    monkeypatch.setitem(
        sys.modules, f"framer_adapters._script_{world}", Module
    )  # as good as a module
    play = getattr(Script().read(b"a"), world)()
    assert play.receive(1) == b"a"
