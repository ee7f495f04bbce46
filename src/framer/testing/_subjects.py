"""Wrappers that make a subject of what is there already.

=====================  ====================================================================
`framer_subject`       a `Framer`: frames, or events
`pull_subject`         a parser that is fed, and asked for one event after the other:
                       ``receive_data`` and ``next_event``, as h11 has them
`feed_subject`         a parser with one method that is fed and returns the events
`callback_subject`     a parser that is fed, and calls methods of an object that it was given
`protocol_subject`     an ``asyncio.Protocol``: what it writes, and which of its methods are called
`recv_subject`         blocking code that calls ``recv``, ``recv_into``, or reads from ``makefile``
=====================  ====================================================================

Each takes a function that makes a new one, and returns what the checks take.
A class of your own with ``feed`` and ``close`` is a subject as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeAlias

from framer._framer import Framer
from framer.testing._transcripts import MOST_EVENTS, Make, NotASubject

__all__ = [
    "Recorder",
    "callback_subject",
    "feed_subject",
    "framer_subject",
    "pull_subject",
    "recorded",
]

__tracebackhide__ = True  # pytest shows the line of the test, and what the failure says

Method: TypeAlias = str | Callable[..., Any]
"""The name of a method, or a function of the parser (and of the data, if there is any)."""


def framer_subject(make: Callable[[], Framer], *, streaming: bool = False) -> Make:
    r"""Make a subject of a `Framer`: its frames, or, if `streaming`, its events.

    Streamed payload comes in as many `Data` as there were chunks: check it with ``merge=(Data,)``.

    >>> from framer import Framer
    >>> from framer.testing import framer_subject
    >>> list(framer_subject(Framer)().feed(b"one\ntwo\nthr"))
    [b'one', b'two']
    """
    return lambda: _FramerSubject(make(), streaming=streaming)


class _FramerSubject:
    def __init__(self, framer: Framer, *, streaming: bool) -> None:
        self.framer = framer
        self._take: Callable[[], Iterator[Any]] = framer.events if streaming else framer.frames
        self._paused = False

    def feed(self, data: bytes) -> Iterator[Any]:
        self.framer.receive_data(data)
        return iter(()) if self._paused else self._take()

    def close(self) -> Iterator[Any]:
        self.framer.receive_eof()
        return self._take()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> Iterator[Any]:
        self._paused = False
        return self._take()

    def change_terminator(self, terminator: Any) -> None:
        self.framer.terminator = terminator


def pull_subject(
    make: Callable[[], Any],
    *,
    receive: Method = "receive_data",
    next_event: Method = "next_event",
    end: Method | None = "receive_eof",
    done: tuple[Any, ...] = (None,),
    last: tuple[type, ...] = (),
) -> Make:
    r"""Make a subject of a parser that is fed, and then asked for one event after the other.

    Args:
        make: makes a parser.
        receive: what feeds it: the name of a method, or a function of the parser and the data.
        next_event: what asks it.
        end: what ends the stream, or None if nothing does.
        done: what it returns when it has no event; these are compared by identity.
        last: kinds of event behind which it is not asked again.

    For h11::

        pull_subject(
            lambda: h11.Connection(h11.SERVER),
            end=lambda connection: connection.receive_data(b""),
            done=(h11.NEED_DATA, h11.PAUSED),
            last=(h11.ConnectionClosed,),
        )

    >>> from framer import Framer
    >>> from framer.testing import check_chunking, pull_subject
    >>> check_chunking(pull_subject(Framer, next_event="next_frame"), b"one\ntwo\n").events
    [b'one', b'two']
    """
    ask = _method(next_event)

    def events(parser: Any) -> Iterator[Any]:
        event: Any = None
        for _ in range(MOST_EVENTS):
            event = ask(parser)
            if any(event is sign for sign in done):
                return
            yield event
            if isinstance(event, last):
                return
        raise NotASubject(
            f"{MOST_EVENTS} events from one chunk, the last is {event!r}:"
            " say in done= what the parser returns when it has none, or in last= what comes last"
        )

    return lambda: _Fed(make(), _method(receive), None if end is None else _method(end), events)


def feed_subject(
    make: Callable[[], Any], *, feed: Method = "feed", close: Method | None = None
) -> Make:
    r"""Make a subject of a parser whose method is fed and returns events, whatever its name is.

    Args:
        make: makes a parser.
        feed: what feeds it: the name of a method, or a function of the parser and the data.
            It returns an iterable of events, or None for none.
        close: what ends the stream, if anything does; it returns the same.

    >>> import codecs
    >>> from framer.testing import check_chunking, feed_subject
    >>> decoder = codecs.getincrementaldecoder("utf-8")
    >>> check_chunking(feed_subject(decoder, feed="decode"), "żółć".encode()).events
    ['ż', 'ó', 'ł', 'ć']
    """
    call, end = _method(feed), None if close is None else _method(close)

    def events(method: Callable[..., Any], *args: object) -> Iterable[Any]:
        brought: Iterable[Any] | None = method(*args)
        return () if brought is None else brought

    return lambda: _Called(make(), partial(events, call), end and partial(events, end))


class _Called:
    """A parser that is fed by a function, and ended by another, if there is one."""

    def __init__(
        self,
        parser: Any,
        feed: Callable[..., Iterable[Any]],
        close: Callable[..., Iterable[Any]] | None,
    ) -> None:
        self.parser = parser
        self.feed = partial(feed, parser)
        if close is not None:
            self.close = partial(close, parser)


class Recorder:
    """An object with every method there could be: it writes down its name and its arguments."""

    def __init__(self, log: list[Any]) -> None:
        self.__log = log

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)

        def record(*args: object) -> None:
            self.__log.append((name, *args))

        return record


def callback_subject(
    make: Callable[[Any], Any], *, feed: Method = "feed", close: Method | None = None
) -> Make:
    r"""Make a subject of a parser that calls back: an event is ``(name, *arguments)`` of a call.

    Args:
        make: makes a parser that calls the object that it is given, which has every method.
        feed: what feeds it: the name of a method, or a function of the parser and the data.
        close: what ends the stream, if anything does.

    For httptools::

        callback_subject(httptools.HttpRequestParser, feed="feed_data")

    and ``merge=("on_body", "on_url", "on_header")``, say, for what comes in pieces.

    >>> from html.parser import HTMLParser
    >>> from framer.testing import callback_subject, check_chunking
    >>> class Parser(HTMLParser):
    ...     def __init__(self, calls):
    ...         super().__init__()
    ...         self.handle_starttag = calls.start
    >>> make = callback_subject(Parser, feed=lambda parser, data: parser.feed(data.decode()))
    >>> check_chunking(make, b"<p><b class=x>").events
    [('start', 'p', []), ('start', 'b', [('class', 'x')])]
    """
    call, end = _method(feed), None if close is None else _method(close)

    def subject() -> _Called:
        log: list[Any] = []
        parser = make(Recorder(log))
        return _Called(
            parser,
            partial(recorded, log, call),
            None if end is None else partial(recorded, log, end),
        )

    return subject


def recorded(log: list[Any], function: Callable[..., object], *args: object) -> Iterator[Any]:
    """Run a function, and give what was logged meanwhile, and what it raised behind that."""
    error: Exception | None = None
    try:
        function(*args)
    except Exception as exc:  # noqa: BLE001 - raised again, behind what came before it
        error = exc
    events = log.copy()
    log.clear()
    return _events_and_error(events, error)


def _events_and_error(events: list[Any], error: Exception | None) -> Iterator[Any]:
    yield from events
    if error is not None:
        raise error


class _Fed:
    """A parser that is fed by one call and drained by another."""

    def __init__(
        self,
        parser: Any,
        receive: Callable[..., Any],
        end: Callable[..., Any] | None,
        events: Callable[[Any], Iterator[Any]],
    ) -> None:
        self.parser = parser
        self._receive = receive
        self._events = events
        self._paused = False
        if end is not None:
            self.close = lambda: self._ended(end)

    def feed(self, data: bytes) -> Iterator[Any]:
        self._receive(self.parser, data)
        return iter(()) if self._paused else self._events(self.parser)

    def _ended(self, end: Callable[..., Any]) -> Iterator[Any]:
        end(self.parser)
        return self._events(self.parser)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> Iterator[Any]:
        self._paused = False
        return self._events(self.parser)


def _method(method: Method) -> Callable[..., Any]:
    if not isinstance(method, str):
        return method
    name = method

    def call(parser: Any, *args: object) -> Any:
        return getattr(parser, name)(*args)

    return call
