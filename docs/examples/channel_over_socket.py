"""Run a `Channel` over a plain blocking socket, without any adapter.

This is all that an adapter *is*: `converse` below has every step of it, and nothing else.

A program in production wants more: many connections at once, timeouts, TLS, back-pressure.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from framer import Channel

RECEIVE_SIZE = 65536


def converse(channel: Channel, connection: socket.socket) -> None:
    """Carry the whole conversation of `channel` over `connection`, which the caller closes.

    What comes in goes to the channel, and all that it has to say to that goes out before more is
    read. Returns when the channel has said its last word, or the other side has and was answered.

    Raises OSError when the connection breaks, and TimeoutError, which is one, when the socket has
    a timeout and nothing happens for that long; and whatever a hook of the channel raised.
    In any case the channel has been told that the connection is lost.
    """
    error: Exception | None = None
    try:
        channel.connection_made()
        send_all(channel, connection)
        while not (channel.output.done or channel.closed):
            data = connection.recv(RECEIVE_SIZE)
            if not data:
                channel.receive_eof()
                send_all(channel, connection)
                break
            channel.receive_data(data)
            send_all(channel, connection)
    except Exception as exc:
        error = exc
        raise
    finally:
        channel.receive_loss(error)
    if channel.hook_error is not None:
        raise channel.hook_error


def send_all(channel: Channel, connection: socket.socket) -> None:
    """Send what the channel has to say now."""
    while data := channel.output.data_to_send():
        connection.sendall(data)


def serve_one(listener: socket.socket, factory: Callable[[], Channel], timeout: float) -> None:
    """Accept one connection, run a channel over it, and close it."""
    listener.settimeout(timeout)
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(timeout)
        converse(factory(), connection)
