"""Record what a real client and a real server say to each other, byte for byte.

A TCP proxy on a free loopback port stands between the two and copies every byte it passes on
into two files, one for each direction:

    python capture.py --to 6379 --out redis -- redis-cli -p {port} PING

starts nothing but the client, with `{port}` replaced by the proxy's own port, and writes
`redis.client.bin` (client to server) and `redis.server.bin` (server to client). How TCP cut the
bytes is deliberately not recorded: framing must not depend on it. A client that opens several
connections, one after the other, has them recorded one behind the other.

It needs the standard library only, talks to 127.0.0.1 only, and gives up after `--timeout`.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.1


class Recorder:
    """Everything that went one way, over all the connections of the client."""

    def __init__(self) -> None:
        self.recorded = bytearray()

    def pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Copy from `source` to `sink` until the end of the stream, which is passed on too."""
        try:
            while data := source.recv(65536):
                self.recorded += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError as exc:  # one side hung up first; what came before it stays recorded
            print(f"capture: {exc}", file=sys.stderr)


def relay(client: socket.socket, target: int, timeout: float, up: Recorder, down: Recorder) -> None:
    """Connect `client` to the port `target` and record both directions until both have ended."""
    with client, socket.create_connection((LOOPBACK, target), timeout) as server:
        client.settimeout(timeout)
        server.settimeout(timeout)
        upward = threading.Thread(target=up.pump, args=(client, server))
        upward.start()
        down.pump(server, client)
        upward.join(timeout)


def record(
    command: list[str], target: int, timeout: float, stdin: Path | None
) -> tuple[bytes, bytes]:
    """Run `command` against the proxy and return what went up and what came down.

    Raises subprocess.CalledProcessError when the client fails and TimeoutError when it takes
    longer than `timeout` seconds.
    """
    up, down = Recorder(), Recorder()
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(POLL_SECONDS)
        arguments = [argument.replace("{port}", str(port)) for argument in command]
        source = stdin.open("rb") if stdin else subprocess.DEVNULL
        client = subprocess.Popen(arguments, stdin=source)
        deadline = time.monotonic() + timeout
        try:
            while client.poll() is None:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{arguments[0]} still runs after {timeout} seconds")
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                relay(connection, target, timeout, up, down)
        finally:
            client.kill()
            client.wait()
            if not isinstance(source, int):
                source.close()
    if client.returncode:
        raise subprocess.CalledProcessError(client.returncode, arguments)
    return bytes(up.recorded), bytes(down.recorded)


def main() -> None:
    """Read the command line, record, and write the two files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", type=int, required=True, help="the server's port on 127.0.0.1")
    parser.add_argument("--out", type=Path, required=True, help="where the files go, less .*.bin")
    parser.add_argument("--stdin", type=Path, help="a file for the client's standard input")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds, for everything")
    parser.add_argument("command", nargs="+", help="the client; {port} becomes the proxy's port")
    options = parser.parse_args()
    up, down = record(options.command, options.to, options.timeout, options.stdin)
    for direction, data in (("client", up), ("server", down)):
        path = options.out.with_name(f"{options.out.name}.{direction}.bin")
        path.write_bytes(data)
        print(f"{path.name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
