"""The child's side of a process that the kit started, and the frames both sides talk in.

A child leads a process group of its own, dies with the process that started it, and cannot write on
the kit's standard output: what a target prints goes down a pipe whose last lines the parent keeps.
Frames are pickled by the plain pickle module, for dill's pure Python pickler would cost more than
the races that it reports.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import signal
import struct
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

import multiprocess.connection
import multiprocess.process

if TYPE_CHECKING:
    from collections.abc import Callable

Send: TypeAlias = "Callable[[object], None]"

# What the first item of a frame says about the second.
HELLO: Final = "hello"
MESSAGE: Final = "message"
RETURNED: Final = "returned"
RAISED: Final = "raised"

STACKS_SIGNAL: Final = signal.SIGUSR1

_LENGTH = struct.Struct("<Q")
_PR_SET_PDEATHSIG: Final = 1


def frame(item: object) -> bytes:
    """Answer one item as it travels: its length, and its pickle."""
    body = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def write_frame(descriptor: int, item: object) -> None:
    """Write one pickled item; blocks until the other side has room for it."""
    rest = memoryview(frame(item))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_frame(descriptor: int) -> Any:
    """Wait for one item; raises EOFError where the other side is gone."""
    (length,) = _LENGTH.unpack(_read_exactly(descriptor, _LENGTH.size))
    return pickle.loads(_read_exactly(descriptor, length))


def _read_exactly(descriptor: int, size: int) -> bytes:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = os.read(descriptor, size - len(chunks))
        if not chunk:
            raise EOFError("the other side closed the pipe")
        chunks += chunk
    return bytes(chunks)


class FrameBuffer:
    """Takes bytes as they come and answers the items that are complete.

    The parent reads this way, never waiting for the rest of a frame: a child that is killed or
    stopped half-way through one must not take the kit with it.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, chunk: bytes) -> list[Any]:
        """Add bytes and answer the items that they complete, oldest first."""
        self._bytes += chunk
        items = []
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                break
            items.append(pickle.loads(self._bytes[_LENGTH.size : end]))
            del self._bytes[:end]
        return items


def main(replies: Any, noise: Any, orders: Any, parent: int, work: bytes) -> None:
    """Run `function(send, *args)` in this child and report how it ended; never returns.

    `replies` and `noise` are the writing ends of pipes, `orders` is the reading end of one or None;
    where it is given the function gets `receive` as its second argument. `parent` is the id of the
    process that started this one, and `work` the pickled function with its arguments: it is
    unpickled here, so that an import that fails or prints is reported like anything else that the
    function does.
    """
    _enter(noise.fileno(), parent)
    lock = threading.Lock()
    descriptor = replies.fileno()

    def tell(kind: str, item: object) -> None:
        with lock:
            write_frame(descriptor, (kind, item))

    tell(HELLO, os.getpid())
    try:
        function, args = pickle.loads(work)
        if orders is not None:
            args = (lambda: read_frame(orders.fileno()), *args)
        last = (RETURNED, function(lambda message: tell(MESSAGE, message), *args))
    except BaseException:
        last = (RAISED, traceback.format_exc())
    with contextlib.suppress(OSError):
        tell(*_picklable(last))
    _leave()


def _picklable(last: tuple[str, Any]) -> tuple[str, Any]:
    try:
        pickle.dumps(last, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return (RAISED, f"the answer cannot be pickled: {last[1]!r:.500}\n{traceback.format_exc()}")
    return last


def _leave() -> None:
    """Leave at once: threads that a target left behind must not keep the process alive."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)


def _enter(noise: int, parent: int) -> None:
    """Cut this process off from the kit's terminal and bind its life to the kit's."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    _die_with(parent)
    _redirect(noise)
    faulthandler.enable()
    faulthandler.register(STACKS_SIGNAL, all_threads=True)


def _redirect(noise: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    # New text files: the old ones remember whether their descriptor was a terminal or a file.
    sys.stdout = _line_writer(1)
    sys.stderr = _line_writer(2)


def _line_writer(descriptor: int) -> TextIO:
    return open(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)


def _die_with(parent: int) -> None:
    """Make the kernel kill this process when the kit dies, and look for it from a thread too.

    The kernel's way works while the interpreter hangs, the thread's way works on every system.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    threading.Thread(target=_watch_parent, name="onewinner-parent-watch", daemon=True).start()


def _watch_parent() -> None:
    started_by = multiprocess.process.parent_process()
    if started_by is None:
        return
    multiprocess.connection.wait([started_by.sentinel])
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
