"""An HTTP server that takes a body by POST, and answers with that body.

Three terminators take turns: CRLF behind the request line, an empty line behind the header, and
behind that a number, the Content-Length. What follows the body is the next request, or if the
client said that there is none, nothing that anybody looks at; so a client that sends more than it
announced has no effect on what it announced.

    python http_post.py --adapter trio --port 8080 &
    curl --data-binary @http_post.py http://127.0.0.1:8080/
"""

from __future__ import annotations

from typing import Final

import serving
from http_responder import CRLF, MAX_HEADER, HttpChannel, Refusal, Request

MAX_BODY: Final = 1 << 20


class Posts(HttpChannel):
    """A connection to a server that takes bodies."""

    methods = frozenset({b"POST"})
    request: Request

    def header_received(self, request: Request, length: int) -> None:
        """Ask for the body, if there is one; none is a body, too, of 0 bytes.

        A client that has asked first whether to send it is told to (RFC 9110, 10.1.1); one that
        is refused before has sent it in vain, or not at all.
        """
        if length > MAX_BODY:
            raise Refusal(413, f"more than {MAX_BODY} bytes")
        self.request = request
        if length == 0:
            self.request_received(request)
            return
        expectations = [value.lower() for value in request.values(b"expect")]
        if b"100-continue" in expectations and request.minor > 0:
            self.push(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.terminator = length
        self.max_frame_size = MAX_BODY

    def frame_received(self, frame: bytes) -> None:
        """Take a body, or what comes before it."""
        if isinstance(self.terminator, int):
            self.terminator = CRLF
            self.max_frame_size = MAX_HEADER
            self.body_received(self.request, frame)
        else:
            super().frame_received(frame)

    def request_received(self, request: Request) -> None:
        """Take the body of a request that has none."""
        self.body_received(request, b"")

    def body_received(self, request: Request, body: bytes) -> None:
        """Answer a request that is complete."""
        self.respond(200, body, len(body), b"application/octet-stream")


if __name__ == "__main__":
    serving.main(Posts, "Answer each POST with what was posted.")
