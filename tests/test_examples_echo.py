"""The line echo server of docs/examples: alone, with netcat, and with a client that pipelines."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator

import programs
import pytest

sys.path.insert(0, str(programs.EXAMPLES))

import echo_lines
from serving import ADAPTERS

TOO_LONG = b"a line of more than 4096 bytes was dropped\n"


def echoed(pieces: list[bytes]) -> bytes:
    """Say `pieces` to the server, then nothing more, and return what it says."""
    return programs.converse(echo_lines.EchoLines(), pieces, eof=True)


# Without I/O.


@pytest.mark.parametrize("sent", [b"", b"\n", b"one\ntwo\n", b"\r\nCR\r\n\r", b"\0\xff\n\n\nend"])
def test_what_comes_goes_back(sent: bytes) -> None:
    """Every byte comes back however it was cut: empty lines, CR, a last line without its end."""
    assert programs.check_cuttings(echoed, sent) == sent


def test_lines_come_back_at_once() -> None:
    """What one read brings is answered when it is handled, and not one byte later."""
    channel = echo_lines.EchoLines()
    channel.connection_made()
    channel.receive_data(b"one\ntwo\nthr")
    assert channel.output.data_to_send() == b"one\ntwo\n"
    channel.receive_data(b"ee\n")
    assert channel.output.data_to_send() == b"three\n"
    assert not channel.closing


def test_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is dropped whole, which the client is told, and the next one is a line again."""
    line = b"x" * 4096 + b"\n"
    assert echoed([b"a\n", line, b"b\n"]) == b"a\n" + line + b"b\n"
    assert echoed([b"a\n", b"x", line, b"b\n"]) == b"a\n" + TOO_LONG + b"b\n"
    monkeypatch.setattr(echo_lines.EchoLines, "max_frame_size", 4)
    answer = TOO_LONG.replace(b"4096", b"4")
    assert programs.check_cuttings(echoed, b"four\n-five\n\nfour\n") == (
        b"four\n" + answer + b"\nfour\n"
    )
    assert programs.check_cuttings(echoed, b"no end to it") == answer


# Under the adapters.


@pytest.fixture(scope="module", params=ADAPTERS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of an echo server that runs under an adapter."""
    with programs.serving("echo_lines.py", "--adapter", str(request.param)) as program:
        yield program.port


def test_netcat(port: int) -> None:
    """What goes into netcat comes out of it."""
    netcat = programs.tool("nc.openbsd", "netcat-openbsd")
    data = b"one\r\ntwo\n\n" + bytes(range(256)) + b"\nlast, without an end"
    done = programs.run(netcat, "-N", "127.0.0.1", str(port), data=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


def test_pipelining_client(port: int) -> None:
    """20 000 lines, all sent before the first is read if that is possible, come back in order."""
    data = b"".join(b"%d%s\n" % (n, b"." * (n % 61)) for n in range(20_000))
    with socket.create_connection(("127.0.0.1", port), programs.TIMEOUT) as connection:

        def send() -> None:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        sender.join()
    assert received == data


def test_clients_do_not_wait_for_each_other(port: int) -> None:
    """One that says nothing, and one in the middle of a line, keep nobody else waiting."""
    address = ("127.0.0.1", port)
    with (
        socket.create_connection(address, programs.TIMEOUT),
        socket.create_connection(address, programs.TIMEOUT) as half,
        socket.create_connection(address, programs.TIMEOUT) as other,
    ):
        half.sendall(b"half a ")
        other.sendall(b"hello\n")
        assert other.recv(100) == b"hello\n"
        half.sendall(b"line\n")
        assert half.recv(100) == b"half a line\n"


# The handlers.


def test_handler_for_blocking() -> None:
    """The loop for threads echoes to the end of the stream."""
    from framer_adapters import blocking  # noqa: PLC0415

    near, far = socket.socketpair()
    with far:
        far.settimeout(programs.TIMEOUT)
        far.sendall(b"one\ntwo\n")
        far.shutdown(socket.SHUT_WR)
        with blocking.FramedStream(near) as stream:
            echo_lines.echo(stream)
        assert b"".join(iter(lambda: far.recv(100), b"")) == b"one\ntwo\n"


def test_handler_for_asyncio() -> None:
    """The loop for tasks echoes under asyncio."""
    from framer_adapters import asyncio as adapter  # noqa: PLC0415

    async def main() -> None:
        async with (
            await adapter.serve(echo_lines.echo_async, "127.0.0.1", 0) as server,
            await adapter.connect("127.0.0.1", server.port) as stream,
        ):
            await stream.send(b"one\ntwo\n")
            await stream.send_eof()
            assert [line async for line in stream] == [b"one", b"two"]

    asyncio.run(asyncio.wait_for(main(), programs.TIMEOUT))


def test_handler_for_trio() -> None:
    """The loop for tasks echoes under trio."""
    trio = pytest.importorskip("trio")
    from framer_adapters import trio as adapter  # noqa: PLC0415

    async def main() -> None:
        with trio.fail_after(programs.TIMEOUT):
            async with trio.open_nursery() as nursery:
                [listener] = await nursery.start(
                    adapter.serve, echo_lines.echo_async, "127.0.0.1", 0
                )
                async with await adapter.connect(*listener.socket.getsockname()) as stream:
                    await stream.send(b"one\ntwo\n")
                    await stream.send_eof()
                    assert [line async for line in stream] == [b"one", b"two"]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_handler_for_anyio() -> None:
    """The loop for tasks echoes under anyio."""
    anyio = pytest.importorskip("anyio")
    from framer_adapters import anyio as adapter  # noqa: PLC0415

    async def main() -> None:
        with anyio.fail_after(programs.TIMEOUT):
            async with anyio.create_task_group() as group:
                listener = await group.start(adapter.serve, echo_lines.echo_async, "127.0.0.1", 0)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610
                async with await adapter.connect("127.0.0.1", port) as stream:
                    await stream.send(b"one\ntwo\n")
                    await stream.send_eof()
                    assert [line async for line in stream] == [b"one", b"two"]
                group.cancel_scope.cancel()

    anyio.run(main)
