"""Traces all threads of one process and of what it starts; stops them all, lets them all go on.

To the kernel a tracer is a thread. So there is no tracing thread with a queue here: everything is
done by the thread that made the tracer, when it calls `turn`. A thread of the traced process that
came to a stop waits for that. Whoever has traced processes that may wait for one another calls
`turn_all`, which looks after all of them.

Nothing is interrupted inside a system call, for some calls then fail with EINTR although nobody
sent a signal, and a store must not be accused of that. A thread that runs in its own code is
interrupted; one that is inside a system call will stop when it comes out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from onewinner.clock import monotonic_ns, sleep
from onewinner.schedule import ptrace, syscalls
from onewinner.schedule.tracer_sleep import Sleep, threads_of

_ROUNDS: Final = 100
_STILL_LOOKS: Final = 2
_MET_NS: Final = 5_000_000_000
_MET_LOOK_S: Final = 0.00005


@dataclass(slots=True)
class Thread:
    """One traced thread.

    `entry` is the system call that it is inside of, None while it runs its own code; `matters`
    tells whether others could notice that call. `stopped`: it came to a stop and was not let go on;
    `paused`: it is in the stop of SIGSTOP and its kin; `lends`: it waits in vfork for its child;
    `free`: its system calls are of no interest for now, and it runs at full speed. `met`: it has
    been stopped once, so that from there on no system call of it is missed.
    """

    tid: int
    pid: int
    entry: ptrace.Entry | None = None
    matters: bool = False
    stopped: bool = False
    paused: bool = False
    lends: bool = False
    free: bool = False
    met: bool = False


class Watcher(Protocol):
    """Whom a tracer tells what it sees."""

    def enters(self, thread: Thread, entry: ptrace.Entry) -> bool:
        """Hear that a thread is about to enter a system call; answer whether to hold it there.

        Sets `thread.matters`, and may set `thread.free`.
        """
        ...  # pragma: no cover

    def leaves(self, thread: Thread, entry: ptrace.Entry, value: int) -> bool:
        """Hear that a thread came back from a system call; answer whether to hold it there."""
        ...  # pragma: no cover

    def swallows(self, thread: Thread, number: int) -> bool:
        """Hear of a signal to a thread; answer whether it was meant for the watcher alone."""
        ...  # pragma: no cover

    def ended(self, tid: int, status: int) -> None:
        """Hear that a thread or process ended, with its wait status; it has been reaped."""
        ...  # pragma: no cover


_live = threading.local()


def turn_all() -> bool:
    """Look after every process that the calling thread traces; tell whether anything happened."""
    _live.tracers = [tracer for tracer in getattr(_live, "tracers", ()) if tracer.threads]
    if not _live.tracers or not ptrace.reported():
        return False
    busy = [tracer.turn() for tracer in _live.tracers]
    return any(busy)


class Tracer:
    """Traces one process, its threads, and what it starts.

    With `family` what it has started by now is traced as well.
    Raises OSError where tracing is refused. The caller kills the process after any error here: the
    kernel leaves a traced process stopped until somebody lets it go on.
    """

    def __init__(self, pid: int, watcher: Watcher, *, family: bool = False) -> None:
        self.threads: dict[int, Thread] = {}
        self.held: Thread | None = None
        self._watcher = watcher
        self._owner = threading.get_ident()
        self._put_off: deque[tuple[Thread, int]] = deque()
        self._sleep = Sleep(_STILL_LOOKS)
        self._attach(pid, family=family)
        _live.tracers = [*getattr(_live, "tracers", ()), self]

    def forget(self) -> list[tuple[int, int]]:
        """Look after this process no more, and answer its threads: they are to be killed now."""
        threads = [(each.pid, each.tid) for each in self.threads.values()]
        self.threads.clear()  # not the list of tracers: that may be another thread's
        self._put_off.clear()
        self.held = None
        return threads

    def await_all(self) -> None:
        """Wait until every thread has been stopped once, and goes on under watch.

        What a thread was doing when it was seized may end without a word. One that the system does
        not let stop for so long is left as it is.
        """
        until_ns = monotonic_ns() + _MET_NS
        while not all(thread.met for thread in self.threads.values()):
            if not turn_all():
                sleep(_MET_LOOK_S)
            if monotonic_ns() > until_ns:
                return

    def check_thread(self) -> None:
        """Raise RuntimeError where the calling thread is not the one that traces."""
        if threading.get_ident() != self._owner:
            raise RuntimeError(
                "a traced claimant was used by a thread that did not make it: to the kernel a "
                "tracer is one thread; make and use each traced claimant in the same thread"
            )

    def _attach(self, pid: int, *, family: bool) -> None:
        """Seize every thread, until a look finds none that is not seized.

        A thread that a seized one starts is seized by the kernel, and may be found by the look too.
        """
        for _ in range(_ROUNDS):
            found = threads_of(pid) if family else [(pid, tid) for tid in _tids(pid)]
            new = [each for each in found if each[1] not in self.threads]
            if not new:
                return
            for process, tid in new:
                with contextlib.suppress(ProcessLookupError):
                    if not _is_ours(tid):
                        ptrace.seize(tid)
                    self._add(tid, process)
                    ptrace.interrupt(tid)
        raise RuntimeError(f"process {pid} starts threads faster than they can be seized")

    def _add(self, tid: int, pid: int) -> None:
        if tid not in self.threads:
            self.threads[tid] = Thread(tid, pid)

    def turn(self) -> bool:
        """Take what the threads have come to, one report of each; tell whether there was any."""
        busy = False
        for thread in list(self.threads.values()):
            if thread.tid not in self.threads:  # execve, told in this very turn, ended it
                continue
            try:
                status = ptrace.wait(thread.tid)
            except ChildProcessError:  # execve made an end of it, without a word
                del self.threads[thread.tid]
                continue
            if status is not None:
                busy = True
                self._take(thread, status)
        if busy:
            self._sleep.forget()
        return busy

    def still(self) -> bool:
        """Tell whether, after a hold, no thread can do anything that others notice.

        Each is stopped, or it is inside a system call that others do not notice, or sleeps in one;
        coming out of it, it stops.
        """
        moving = [thread for thread in self.threads.values() if not _rests(thread)]
        if any(thread.entry is None for thread in moving):
            return False
        return not moving or self._sleep.found((thread.pid, thread.tid) for thread in moving)

    def release(self) -> None:
        """Let all go on, up to the next hold; what happened meanwhile is told now, in its order."""
        held, self.held = self.held, None
        if held is not None:
            self._go(held)
        while self._put_off and self.held is None:
            thread, status = self._put_off.popleft()
            if thread.tid in self.threads:  # else it was killed meanwhile
                self._handle(thread, status)

    def running(self) -> list[tuple[int, int]]:
        """Answer process and thread id of what is not stopped."""
        return [(each.pid, each.tid) for each in self.threads.values() if not each.stopped]

    def doing(self) -> str:
        """Name the system calls that the threads are inside of."""
        entries = [each.entry for each in self.threads.values() if each.entry is not None]
        return ", ".join(sorted({syscalls.name_of(each.arch, each.number) for each in entries}))

    def _take(self, thread: Thread, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self.threads.pop(thread.tid, None)
            if self.held is thread:
                self.held = None
            self._watcher.ended(thread.tid, status)
            return
        thread.stopped = thread.met = True
        thread.paused = False
        if self.held is not None:
            self._put_off.append((thread, status))
        else:
            self._handle(thread, status)

    def _handle(self, thread: Thread, status: int) -> None:
        number, event = (status >> 8) & 0xFF, status >> 16
        try:
            if event == ptrace.EVENT_STOP:
                self._stop(thread, number)
            elif event:
                self._event(thread, event)
            elif number == ptrace.SYSCALL_STOP:
                self._syscall(thread)
            else:  # a signal on its way to the program: it gets it
                self._go(thread, 0 if self._watcher.swallows(thread, number) else number)
        except ProcessLookupError:  # killed while it was stopped; its end will be told
            thread.stopped = False

    def _stop(self, thread: Thread, number: int) -> None:
        """Handle an interruption, the first stop of a new thread, or the stop of a whole group."""
        if number == signal.SIGTRAP:
            self._go(thread)
        else:
            ptrace.listen(thread.tid)
            thread.stopped = False
            thread.paused = True

    def _event(self, thread: Thread, event: int) -> None:
        message = ptrace.event_message(thread.tid)
        if event == ptrace.EVENT_EXEC:
            self._executed(thread, message)
        elif event in {ptrace.EVENT_FORK, ptrace.EVENT_VFORK, ptrace.EVENT_CLONE}:
            self._add(message, _process_of(message))
            thread.lends = event == ptrace.EVENT_VFORK
        self._go(thread)

    def _executed(self, thread: Thread, former: int) -> None:
        """Forget the threads that execve ended; its caller has the id of the process now."""
        caller = self.threads.get(former, thread)
        thread.entry, thread.matters = caller.entry, caller.matters
        for other in list(self.threads.values()):
            if other is not thread and other.pid == thread.pid:
                del self.threads[other.tid]

    def _syscall(self, thread: Thread) -> None:
        info = ptrace.syscall_info(thread.tid)
        if isinstance(info, ptrace.Entry):
            thread.entry = info
            if self._watcher.enters(thread, info):
                self._hold(thread)
                return
            if thread.free:  # that it comes out of this will not be told
                thread.entry = None
        elif info is not None:
            entry, thread.entry, thread.lends = thread.entry, None, False
            if entry is not None and self._watcher.leaves(thread, entry, info.value):
                self._hold(thread)
                return
        self._go(thread)

    def _hold(self, thread: Thread) -> None:
        self.held = thread
        self._sleep.forget()
        for other in self.threads.values():
            if other.entry is None and not other.stopped and not other.paused:
                with contextlib.suppress(ProcessLookupError):
                    ptrace.interrupt(other.tid)

    def _go(self, thread: Thread, number: int = 0) -> None:
        thread.stopped = False
        with contextlib.suppress(ProcessLookupError):
            ptrace.go_on(thread.tid, number, to_syscall=not thread.free)


def _rests(thread: Thread) -> bool:
    if thread.stopped or thread.paused or thread.lends:
        return True
    return thread.entry is not None and not thread.matters


def _tids(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def _status_field(tid: int, field: str) -> int | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{tid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return None


def _process_of(tid: int) -> int:
    return _status_field(tid, "Tgid:") or tid


def _is_ours(tid: int) -> bool:
    return _status_field(tid, "TracerPid:") == threading.get_native_id()
