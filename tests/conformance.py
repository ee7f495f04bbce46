"""What every adapter of framer passes: one suite for channels, one for streams.

The test file of an adapter plugs in with two classes, and has tests of its own below for what
only that world has::

    import conformance
    from worlds import TrioWorld


    class TestChannels(conformance.ChannelSuite):
        world = TrioWorld()


    class TestStreams(conformance.StreamSuite):
        world = TrioWorld()

A world that has no streams leaves out the second. If something holds in your world for a reason
otherwise, do not override the test: give `worlds.World` an attribute that says what is different.

For an adapter that is not one of ours:

1. Subclass `worlds.World`, or `worlds.AsyncWorld` if there are tasks in it.
   ``module_name`` is your adapter, with `serve_channel` and `run_channel` in it,
   and for streams `FramedStream`, `connect` and `serve`; what they take is in DESIGN.md, part 7.
2. Write ``serve``, which runs a server until it is stopped from another thread,
   and ``_run_channel``; for streams also ``_run_stream``, ``_run_client``, ``_check_pairs``,
   ``timeout`` and ``gather``.
3. Say what your errors are called, and what your world cannot do.
4. Plug it in as above, and run the file.

Where things are: the world under test runs in a thread of its own. The other side of every
connection is a `peers.Peer`, a plain socket in the thread of the test, with a deadline on all
that it does, so nothing hangs for long. Streams are tested by scenarios, ``async def
scenario(stream)``, which are written once and run in each world, the blocking one included.

Every test fails if it leaves behind a thread, a task or a descriptor,
if a socket was closed by the garbage collector only, or if an error was logged that it did not
look at: what a peer does is no error, and what a hook does always is one.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("conformance_channels", "conformance_streams")

from conformance_channels import ChannelSuite  # noqa: E402 - after that
from conformance_streams import StreamSuite  # noqa: E402

__all__ = ["ChannelSuite", "StreamSuite"]
