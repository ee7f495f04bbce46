"""One conversation without I/O: a framer for what comes in, a queue for what goes out, and hooks.

A program subclasses `Channel` and writes hooks; an adapter owns the connection and calls
one of them, `connection_made`, and the four methods whose names begin with ``receive_``.
Neither sees the other, so one subclass runs under every adapter, and in a test under none.

::

      made ── connection_made() ──▶ OPEN ─────────────┐
                                     │                │ close_when_done(), discard(),
                                     │                │ a framing error, the peer's end
       receive_loss(exc),            │                ▼
       a hook that raises            │             CLOSING   nothing is delivered any more;
                                     │                │      what was pushed still goes out
                                     ▼                ▼
                                   CLOSED ◀───────────┘ output.done: the adapter closes,
                                     │                  and calls receive_loss()
                                     └─ connection_lost(exc), exactly once

Only the queue knows whether it is closing, so ``output.close_when_done()`` closes the channel.

What an adapter does:

1. Call ``connection_made()``. If it raises, call ``receive_loss(exc)``.
2. Read, unless ``output.congested`` or there is a `tls_request`,
   and hand over what came with ``receive_data``, at the end ``receive_eof``.
   All frames in it have been handled when the call returns.
3. Then send what is in `output`, as long as it gives something.
   ``output.on_ready`` tells of what was pushed at other times.
   What a producer raises comes out here: ``receive_loss(exc)``.
4. Once ``tls_request.ready``, shake hands, then call ``receive_tls()``, and go on.
5. Close the connection when it is lost, and when ``output.done``,
   as it is after a hook has raised, too: the error is in ``hook_error``.
   Call ``receive_loss`` in any case: it does nothing the second time.

Subclasses are written by others and full of names like ``_closed`` and ``_run``.
So what is private here has two underscores, and is out of their way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast

from framer._batches import next_frames
from framer._events import Data, TerminatorFound
from framer._exceptions import FramingError, UsageError
from framer._framer import Framer
from framer._output import OutputQueue
from framer._producers import Producer
from framer._terminators import Terminator
from framer._tls import Leftover, TlsRequest

__all__ = ["Channel"]


class _Setting:
    """On the class a default; on a channel the framer's own, so that setting it has an effect."""

    __slots__ = ("default", "name")

    def __init__(self, name: str, default: object) -> None:
        self.name = name
        self.default = default

    def __get__(self, channel: Channel | None, cls: type[Channel]) -> object:
        return self.default if channel is None else getattr(channel.framer, self.name)

    def __set__(self, channel: Channel, value: object) -> None:
        setattr(channel.framer, self.name, value)


class Channel:
    r"""One conversation: subclass it, write the hooks, and run it under any adapter.

    >>> class Greeter(Channel):
    ...     terminator = b"\r\n"
    ...     max_frame_size = 1024
    ...
    ...     def frame_received(self, frame):
    ...         if frame == b"QUIT":
    ...             self.close_when_done()
    ...         else:
    ...             self.push(b"hello, " + frame + b"\r\n")
    >>> channel = Greeter()
    >>> channel.connection_made()
    >>> channel.receive_data(b"world\r\nQUIT\r\nnobody\r\n")  # an adapter does this
    >>> channel.output.data_to_send()
    b'hello, world\r\n'
    >>> channel.output.done
    True

    The hooks are `connection_made`; `frame_received` for whole frames,
    or else `data_received` and `terminator_found` for frames as they arrive, of any size;
    `framing_error`, `eof_received`, `tls_started` and `connection_lost`.
    They are called one at a time, in the order of the bytes,
    and how the bytes were cut makes no difference
    (but for where one `data_received` ends and the next begins).
    Once the channel is `closing`, none is called but `connection_lost`:
    what had been received before and was not delivered stays in ``framer.buffered``,
    what arrives later is dropped.
    A hook that raises closes the channel at once: what was to be sent is dropped,
    `hook_error` is the exception, and `connection_lost` gets it.

    An instance is complete before ``__init__`` runs,
    so a subclass may have one, with any arguments, and need not call this one.
    An idle channel, with its framer and its queue, costs under 600 bytes.

    Attributes:
        terminator: what ends a frame. On the class it is what a new channel starts with;
            on a channel it is ``framer.terminator``, and the very next byte obeys it.
            (If hooks set another kind, mypy wants ``terminator: Terminator = ...`` in the class.)
        max_frame_size: the most bytes of payload in a frame; None for no limit. Likewise.
        framer: the `Framer` of what comes in.
        output: the `OutputQueue` of what goes out.
        hook_error: None, or what a hook raised, for the adapter to log.
        tls_request: None, or what `start_tls` asks of the adapter, until TLS is there.

    Raises:
        TypeError: when a subclass is defined: it has both ways to receive frames.
        TypeError, ValueError: when a channel is made: its settings are not what `Framer` takes.
    """

    __slots__ = (
        "__closed",
        "__delivering",
        "__ended",
        "__streams",
        "framer",
        "hook_error",
        "output",
        "tls_request",
    )

    terminator: Terminator = cast("Any", _Setting("terminator", b"\n"))
    max_frame_size: int | None = cast("Any", _Setting("max_frame_size", 65536))

    framer: Framer
    output: OutputQueue
    hook_error: BaseException | None
    tls_request: TlsRequest | None

    __closed: bool
    __delivering: bool
    __ended: bool  # receive_eof() was called
    __streams: bool  # as its class does, and quicker to look up (bench: line echo)
    __class_streams: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        streams = (
            cls.data_received is not Channel.data_received
            or cls.terminator_found is not Channel.terminator_found
        )
        if streams and cls.frame_received is not Channel.frame_received:
            raise TypeError(
                f"{cls.__name__} has frame_received(), for whole frames, and also data_received() "
                f"or terminator_found(), for frames in pieces; remove the one or the others"
            )
        cls.__class_streams = streams

    # Checkers do not see this, or they would hold its arguments against those of each __init__.
    if not TYPE_CHECKING:  # pragma: no branch

        def __new__(cls, *_args: object, **_kwargs: object) -> Self:
            _install_settings(cls)
            channel = super().__new__(cls)
            channel.framer = Framer(cls.terminator, max_frame_size=cls.max_frame_size)
            channel.output = OutputQueue()
            channel.hook_error = None
            channel.tls_request = None
            channel.__closed = channel.__delivering = channel.__ended = False
            channel.__streams = cls.__class_streams
            return channel

    def __init__(self) -> None:
        """Do nothing; everything is made before, for subclasses that forget to call this."""

    # What a subclass overrides

    def connection_made(self) -> None:
        """The connection is there: the first of all hooks. By default it does nothing."""

    def frame_received(self, frame: bytes, /) -> None:
        """A whole frame arrived, here without its terminator."""
        raise NotImplementedError(
            f"{type(self).__name__} has to define frame_received(), "
            f"or data_received() and terminator_found()"
        )

    def data_received(self, chunk: bytes, /) -> None:
        """Some payload of the current frame arrived; never empty."""
        raise NotImplementedError(
            f"{type(self).__name__} has terminator_found(), "
            f"so it has to define data_received(), if only to drop the payload"
        )

    def terminator_found(self, matched: bytes | int, /) -> None:
        """The frame is complete; `matched` is that of `TerminatorFound`. By default: nothing."""

    def framing_error(self, exc: FramingError, /) -> None:
        """The peer broke the framing. By default the channel is closed; nothing is pushed.

        It is called once for each frame that is broken. An override may push a last word.
        After a `FrameTooLarge` it may call ``self.framer.skip_frame()`` to carry on
        with the next frame; when streaming, what `data_received` got of this one is void.
        Or it may hand over what is left, with ``self.framer.take_buffered()``.
        If that frame is still broken when it returns, the channel closes when done.
        """
        self.close_when_done()

    def eof_received(self) -> bool | None:
        """The peer sends no more. Return true to go on sending, else the channel closes when done.

        It comes once, after all frames. Inside one `framing_error` gets `IncompleteFrame` first,
        and this is called only if that got rid of the frame.
        """
        return None

    def tls_started(self) -> None:
        """TLS is there, as `start_tls` asked; what comes from here on is encrypted.

        For a client that speaks first now, say. By default it does nothing.
        """

    def connection_lost(self, exc: Exception | None, /) -> None:
        """The connection is gone: the last of all hooks, called exactly once.

        `exc` is what a hook raised, an error of the connection, or None after a proper end.
        """

    # What a subclass calls

    @property
    def closing(self) -> bool:
        """Whether nothing more is delivered and nothing more can be pushed."""
        return self.output.closing

    @property
    def closed(self) -> bool:
        """Whether `connection_lost` was called, or is being called."""
        return self.__closed

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` after all that was pushed before: `OutputQueue.push`."""
        self.output.push(data)

    def push_producer(self, producer: Producer) -> None:
        """Send what `producer` gives, when it is needed: `OutputQueue.push_producer`."""
        self.output.push_producer(producer)

    def close_when_done(self) -> None:
        """Deliver nothing more, send what was pushed, then close; harmless a second time."""
        self.output.close_when_done()

    def start_tls(
        self,
        context: object,
        *,
        server_side: bool | None = None,
        server_hostname: str | None = None,
        leftover: Leftover = "refuse",
    ) -> None:
        """Change to TLS: what was pushed before goes out as it is, all that follows encrypted.

        The adapter reads nothing more until it has shaken hands; then comes `tls_started`.
        If the handshake fails, `connection_lost` gets the error.

        The arguments are those of `TlsRequest`.

        Raises:
            UsageError: plain text is left in the buffer, or TLS is being started already,
                or the channel is `closing`. Nothing changed.
            ValueError: `leftover` is not one of its words.
        """
        if self.tls_request is not None:
            raise UsageError("start_tls() again, before tls_started()")
        if self.closing:
            raise UsageError("start_tls() comes too late: the channel is closing")
        self.tls_request = TlsRequest(
            self.framer,
            context,
            server_side=server_side,
            server_hostname=server_hostname,
            leftover=leftover,
        )
        self.output.push_producer(self.tls_request)

    def discard(self) -> None:
        """Deliver nothing more, send nothing more, and close.

        For a last word use ``output.discard()``, which closes nothing, then `push` and close.

        Raises:
            Exception: what the ``close()`` of a producer raises. All are closed all the same.
        """
        self.output.close_when_done()
        self.output.discard()

    # What an adapter calls

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the connection and deliver all frames that are complete.

        ``receive_data(b"")`` delivers what a terminator set outside of hooks has made complete.
        What a hook raises is in `hook_error`, and comes out only if it is no Exception.

        Raises:
            TypeError: `data` is not bytes-like.
            UsageError: a hook calls it, or it is called after `receive_eof`,
                or while TLS is being started: these bytes are the handshake's.
            Exception: what `connection_lost` raises.
        """
        if self.__delivering:
            self.__refuse("receive_data")
        if self.tls_request is not None and data and not self.__closed:
            raise UsageError("receive_data() while there is a tls_request: shake hands first")
        if self.output.closing:
            return
        self.framer.receive_data(data)
        # As `__run(self.__deliver)`, without its calls: one read has one (bench: line echo).
        self.__delivering = True
        try:
            error = self.__deliver_events() if self.__streams else self.__deliver_frames()
            if error is not None:
                self.__recover(error)
        except BaseException as exc:  # noqa: BLE001 - all are noted, and some raised again
            self.__fail(exc)
        finally:
            self.__delivering = False

    def receive_eof(self) -> None:
        """Take note that the connection brings no more bytes; harmless a second time.

        The channel ends up `closing`, unless `eof_received` returns true.

        Raises:
            UsageError: a hook calls it.
            Exception: what `connection_lost` raises.
        """
        if self.__delivering:
            self.__refuse("receive_eof")
        if not self.closing and not self.__ended:
            self.__ended = True
            self.__run(self.__deliver_end)

    def receive_tls(self) -> None:
        """Take note that TLS is there, as `tls_request` asked; harmless when none did.

        Raises:
            UsageError: a hook calls it.
            Exception: what `connection_lost` raises.
        """
        if self.__delivering:
            self.__refuse("receive_tls")
        if self.tls_request is not None:
            self.tls_request.finish()
            self.tls_request = None
            self.output.wake()
            if not self.closing:
                self.__run(self.tls_started)

    def receive_loss(self, exc: BaseException | None = None) -> None:
        """Take note that the connection is gone, `exc` being why; harmless a second time.

        Raises:
            Exception: what `connection_lost` or the ``close()`` of a producer raises.
        """
        if self.__closed:
            return
        self.__closed = True
        try:
            self.output.close_when_done()
            self.output.discard()
        finally:
            self.connection_lost(cast("Exception | None", exc))  # as asyncio has it

    def __refuse(self, method: str) -> NoReturn:
        raise UsageError(
            f"{method}() is for the adapter; a hook may call framer.push_back() instead"
        )

    def __run(self, deliver: Callable[[], None]) -> None:
        """Call what calls hooks, and close the channel if one of them raises."""
        self.__delivering = True
        try:
            deliver()
        except BaseException as exc:  # noqa: BLE001 - all are noted, and some raised again
            self.__fail(exc)
        finally:
            self.__delivering = False

    def __fail(self, exc: BaseException) -> None:
        """Close the channel: a hook raised this."""
        self.hook_error = exc
        self.receive_loss(exc)
        if not isinstance(exc, Exception):
            raise exc

    def __deliver(self) -> FramingError | None:
        """Deliver until bytes run out or the channel closes; return what breaks a frame."""
        return self.__deliver_events() if self.__streams else self.__deliver_frames()

    def __recover(self, error: FramingError | None) -> None:
        """Tell of the error and go on, until there is none, or the same frame stays broken."""
        broken: int | None = None  # where the frame starts that framing_error() was told of
        while error is not None:
            if error.frame_start == broken:
                self.output.close_when_done()
                return
            broken = error.frame_start
            self.framing_error(error)
            if self.output.closing:
                return
            error = self.__deliver()

    def __deliver_frames(self) -> FramingError | None:
        """Deliver until frames run out or the channel closes; return what breaks one."""
        framer, output = self.framer, self.output
        while True:
            try:
                frames = next_frames(framer)
            except FramingError as error:
                return error
            if frames is None:
                return None
            for frame in frames:
                self.frame_received(frame)
                if output.closing:
                    return None
            # No frame is left: `next_frames` would say so, too, for a call (bench: line echo).
            if framer._patience > 0:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
                return None

    def __deliver_events(self) -> FramingError | None:
        """The same with events."""
        output = self.output
        in_hook = False
        try:
            for event in self.framer.events():
                in_hook = True
                if isinstance(event, Data):
                    self.data_received(event.chunk)
                elif isinstance(event, TerminatorFound):
                    self.terminator_found(event.matched)
                in_hook = False
                if output.closing:
                    break
        except FramingError as error:
            if in_hook:  # It has a framer of its own, say.
                raise
            return error
        return None

    def __deliver_end(self) -> None:
        self.framer.receive_eof()
        self.__recover(self.__deliver())
        if not self.closing and not self.eof_received():
            self.output.close_when_done()


def _install_settings(cls: type[Channel]) -> None:
    """Put a `_Setting` in place of a plain value that a class has, or has been given since."""
    for name in ("terminator", "max_frame_size"):
        owner = next(owner for owner in cls.__mro__ if name in vars(owner))
        value: object = vars(owner)[name]
        if not isinstance(value, _Setting):
            # A mixin is no channel, and stays as it is.
            target = owner if issubclass(owner, Channel) else cls
            setattr(target, name, _Setting(name, value))
