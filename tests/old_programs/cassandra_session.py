"""The Cassandra driver, as it is, over the drop-ins: queries by its asyncore reactor.

That was its event loop by default, until Python 3.12. The server here is none, but speaks as one.

    python cassandra_session.py
"""

from __future__ import annotations

import importlib
import logging
import struct
import threading
from typing import Any

from framer import Channel, LengthFrom
from framer_adapters import asyncore
from framer_adapters.selectors import Server, serve_channel

asyncore.install(force=True)

reactor: Any = importlib.import_module("cassandra.io.asyncorereactor")
connection: Any = importlib.import_module("cassandra.connection")
protocol: Any = importlib.import_module("cassandra.protocol")

HEADER = struct.Struct(">BBhBi")
OPTIONS, STARTUP, QUERY = 5, 1, 7
SUPPORTED, READY, RESULT = 6, 2, 8


def string(text: str) -> bytes:
    """Write a string with its length before it."""
    return struct.pack(">H", len(text)) + text.encode()


class Node(Channel):
    """A server that answers any query by one row, in which the query stands."""

    terminator = LengthFrom(9, lambda header: HEADER.unpack(header)[4], keep_header=True)
    max_frame_size = 1 << 22

    def frame_received(self, frame: bytes, /) -> None:
        """Answer."""
        _, _, stream, opcode, _ = HEADER.unpack_from(frame)
        if opcode == OPTIONS:
            options = {"CQL_VERSION": ["3.4.5"], "COMPRESSION": list[str]()}
            code, body = SUPPORTED, struct.pack(">H", len(options))
            for name, values in options.items():
                body += string(name) + struct.pack(">H", len(values))
                body += b"".join(map(string, values))
        elif opcode == STARTUP:
            code, body = READY, b""
        else:
            assert opcode == QUERY
            (size,) = struct.unpack_from(">i", frame, 9)
            query = frame[13 : 13 + size]
            code, body = (
                RESULT,
                b"".join(
                    (
                        struct.pack(
                            ">iii", 2, 1, 1
                        ),  # rows, with the table named once, of one column
                        string("keyspace"),
                        string("table"),
                        string("query") + struct.pack(">H", 0x000D),
                        struct.pack(">ii", 1, size),
                        query,
                    )
                ),
            )
        self.push(HEADER.pack(0x84, 0, stream, code, len(body)) + body)


def session(server: Server) -> None:
    """Ask, over two connections."""
    endpoint = connection.DefaultEndPoint("127.0.0.1", server.port)
    made = [reactor.AsyncoreConnection.factory(endpoint, 30, protocol_version=4) for _ in range(2)]
    assert all(isinstance(one, asyncore.dispatcher) for one in made)
    for query in ("SELECT 1", "x" * 3_000_000, "SELECT 2"):
        for one in made:
            message = protocol.QueryMessage(query=query, consistency_level=1)
            result = one.wait_for_response(message, timeout=30)
            assert result.column_names == ["query"]
            assert result.parsed_rows == [(query,)]
    for one in made:
        one.close()
    print("answers", 6)


def main() -> None:
    """Serve and ask, and leave no thread."""
    logging.getLogger("cassandra").addHandler(logging.NullHandler())
    reactor.AsyncoreConnection.initialize_reactor()
    assert type(reactor._global_loop._loop_dispatcher).__name__ == "_AsyncorePipeDispatcher"
    with serve_channel(Node, "127.0.0.1", 0) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            session(server)
        finally:
            reactor._global_loop._cleanup()
            server.loop.stop()
            serving.join(30)


if __name__ == "__main__":
    main()
