"""Channels of asyncore in a task of asyncio, under asyncio's own loop and under uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from framer_adapters._asyncore_bridge import run
from framer_adapters.asyncore import ExitNow, close_all, dispatcher, file_dispatcher, poll2

Map = dict[int, Any]
Runner = Callable[[Coroutine[Any, Any, Any]], Any]
LONG = 3600.0  # seconds, that a turn would wait for nothing


def run_under_uvloop(main: Coroutine[Any, Any, Any]) -> Any:
    """Run it there, if there is one."""
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


RUNNERS = pytest.mark.parametrize("runner", [asyncio.run, run_under_uvloop])


class Echo(dispatcher):
    """Sends back what it gets."""

    def writable(self) -> bool:
        """Say that there is nothing to write."""
        return False

    def handle_read(self) -> None:
        """Echo."""
        data = self.recv(100)
        if data:
            self.send(data)

    def handle_close(self) -> None:
        """Close."""
        self.close()


class Server(dispatcher):
    """Echoes to all."""

    def handle_accepted(self, sock: socket.socket, addr: Any) -> None:
        """Echo to him."""
        Echo(sock, self._map)


@RUNNERS
def test_both_worlds_go_on(runner: Runner) -> None:
    """An asyncio client talks to an asyncore server in the same loop."""

    async def main() -> None:
        channels: Map = {}
        server = Server(map=channels)
        server.create_socket()
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        assert server.socket is not None
        turns = asyncio.create_task(run(LONG, channels, poll2))
        for _ in range(3):  # the descriptors of one are the numbers of the next
            reader, writer = await asyncio.open_connection(*server.socket.getsockname())
            for word in (b"spam", b"eggs"):
                writer.write(word)
                assert await reader.readexactly(4) == word
            writer.close()
            await writer.wait_closed()
        turns.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turns
        close_all(channels)

    runner(main())


@RUNNERS
def test_what_a_turn_raises(runner: Runner) -> None:
    """It comes out of the coroutine, as it would out of loop()."""

    class Leaves(Echo):
        def handle_read(self) -> None:
            raise ExitNow

    async def main() -> None:
        one, other = socket.socketpair()
        channels: Map = {}
        Leaves(one, channels)
        other.close()
        with pytest.raises(ExitNow):
            await run(LONG, channels, poll2)
        close_all(channels)

    runner(main())


@RUNNERS
def test_a_change_is_noticed(runner: Runner) -> None:
    """After `timeout` at the latest: here a channel that was added, and one that was taken out."""

    async def main() -> None:
        (one, other), (third, fourth) = socket.socketpair(), socket.socketpair()
        with other, fourth:
            channels: Map = {}
            first = Echo(one, channels)
            turns = asyncio.create_task(run(0.001, channels, poll2))
            await asyncio.sleep(0)
            Echo(third, channels)
            fourth.send(b"spam")
            fourth.setblocking(False)
            loop = asyncio.get_running_loop()
            assert await loop.sock_recv(fourth, 100) == b"spam"
            first.close()
            fourth.shutdown(socket.SHUT_WR)
            await turns

    runner(main())


def test_a_closed_channel_leaves_no_trace() -> None:
    """Its number may be asyncio's next one at once, while the turn still waits."""

    async def main() -> None:
        one, other = socket.socketpair()
        third, fourth = socket.socketpair()
        with other, fourth:
            channels: Map = {}
            first = Echo(one, channels)
            Echo(third, channels)
            number = one.fileno()
            turns = asyncio.create_task(run(LONG, channels, poll2))
            await asyncio.sleep(0)
            first.close()
            ours, theirs = socket.socketpair()
            assert ours.fileno() == number
            reader, writer = await asyncio.open_connection(sock=ours)
            theirs.send(b"spam")
            assert await reader.readexactly(4) == b"spam"
            theirs.close()
            assert await reader.read() == b""
            writer.close()
            fourth.shutdown(socket.SHUT_WR)
            await turns

    asyncio.run(main())


def test_a_plain_file_is_ready(tmp_path: Path) -> None:
    """Though the selector refuses it; and it keeps nobody from his turn."""
    (tmp_path / "file").write_bytes(b"spam")
    read: list[bytes] = []

    class Reader(file_dispatcher):
        def handle_read(self) -> None:
            read.append(self.recv(1))

        def handle_write(self) -> None:
            pass

        def handle_close(self) -> None:
            self.close()

    async def main() -> None:
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        channels: Map = {}
        Reader(fd, channels)
        os.close(fd)
        turns = asyncio.create_task(run(LONG, channels, poll2))
        while len(read) < 2:  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)
        await turns

    asyncio.run(main())
    assert b"".join(read) == b"spam"


def test_a_platform_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it cannot be done."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)

    async def main() -> None:
        one, other = socket.socketpair()
        channels: Map = {}
        with other:
            Echo(one, channels)
            with pytest.raises(NotImplementedError, match="no selector"):
                await run(LONG, channels, poll2)
            close_all(channels)

    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        runner.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="what epoll says of other platforms is theirs")
def test_urgent_data_waits_for_the_next_turn() -> None:
    """A selector does not tell of it, but a turn does."""
    seen: list[bytes] = []

    class Urgent(Echo):
        def handle_expt(self) -> None:
            assert self.socket is not None
            seen.append(self.socket.recv(1, socket.MSG_OOB))
            self.close()

    async def main() -> None:
        channels: Map = {}
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            accepted, _ = server.accept()
        with client:
            Urgent(accepted, channels)
            client.send(b"!", socket.MSG_OOB)
            await run(0.001, channels, poll2)

    asyncio.run(main())
    assert seen == [b"!"]
