"""The raw calls of ptrace(2), through ctypes: Linux on x86-64 and aarch64, kernel 5.3 or newer.

PTRACE_GET_SYSCALL_INFO tells a system call without the registers, so that only `skip` and `answer`,
which change one, depend on how a machine lays them out. All calls about one process must come from
the thread that seized it: to the kernel a tracer is a thread. On other systems the module can be
imported, and `ptrace_refusal` says why nothing can be traced.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import platform
import signal
import sys
from pathlib import Path
from typing import Final, NamedTuple

from onewinner.clock import monotonic_ns, sleep

_CONT: Final = 7
_SYSCALL: Final = 24
_GET_EVENT_MESSAGE: Final = 0x4201
_SEIZE: Final = 0x4206
_INTERRUPT: Final = 0x4207
_LISTEN: Final = 0x4208
_GET_SYSCALL_INFO: Final = 0x420E
_POKE_USER: Final = 6
_GET_REGISTERS: Final = 0x4204
_SET_REGISTERS: Final = 0x4205

# x86-64, sys/reg.h: where the number of the system call stands in the user area, and its value.
_X86_64_NUMBER: Final = 8 * 15
_X86_64_VALUE: Final = 8 * 10

# aarch64, linux/elf.h and asm/ptrace.h: two sets of registers, and how many bytes the first has.
_GENERAL_SET: Final = 1
_SYSCALL_SET: Final = 0x404
_AARCH64_GENERAL_BYTES: Final = 8 * 34

# What is traced: system calls apart from signals, children and threads from their first
# instruction, execve. The last: the kernel kills what is traced when the tracing thread is gone,
# whatever became of the kit.
_OPTIONS: Final = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x10_0000

EVENT_FORK: Final = 1
EVENT_VFORK: Final = 2
EVENT_CLONE: Final = 3
EVENT_EXEC: Final = 4
EVENT_STOP: Final = 128

SYSCALL_STOP: Final = int(signal.SIGTRAP) | 0x80
"""The signal that tells a stop at a system call from a SIGTRAP that somebody sent."""

WALL: Final = 0x4000_0000 if sys.platform == "linux" else 0
"""__WALL: wait also for threads and for children of children."""

_OWN: Final = 0x2000_0000
"""__WNOTHREAD: wait for what the calling thread has started or traces, and for nothing else."""

_TRIAL_S: Final = 10.0
_INFO_BYTES: Final = 88


class Entry(NamedTuple):
    """A thread is about to enter a system call: its number on this architecture, and arguments.

    `arch` is an AUDIT_ARCH value (linux/audit.h).
    """

    arch: int
    number: int
    args: tuple[int, ...]


class Exit(NamedTuple):
    """A thread comes back from a system call with `value`; negative values are errors."""

    value: int


class _Info(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction", ctypes.c_uint64),
        ("stack", ctypes.c_uint64),
        ("number", ctypes.c_uint64),  # at an exit: the value, signed
        ("args", ctypes.c_uint64 * 6),
        ("rest", ctypes.c_uint64),
    )


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    return libc


def _call(request: int, tid: int, address: int = 0, data: int = 0) -> int:
    """Make the raw call. Raises OSError; ProcessLookupError where the thread is gone or runs."""
    answer = int(_libc().ptrace(request, tid, address, data))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def seize(tid: int) -> None:
    """Begin to trace a thread; it does not stop. Raises OSError where that is refused."""
    _call(_SEIZE, tid, 0, _OPTIONS)


def interrupt(tid: int) -> None:
    """Ask a thread to stop; the stop is told by `wait` like any other."""
    _call(_INTERRUPT, tid)


def go_on(tid: int, number: int = 0, *, to_syscall: bool = True) -> None:
    """Let a stopped thread go on, to its next system call or freely, delivering a signal if any."""
    _call(_SYSCALL if to_syscall else _CONT, tid, 0, number)


def listen(tid: int) -> None:
    """Leave a thread in the stop that SIGSTOP and its kin made, until SIGCONT comes."""
    _call(_LISTEN, tid)


def event_message(tid: int) -> int:
    """Answer what belongs to an event: the new thread's id, or the one that called execve."""
    message = ctypes.c_ulong()
    _call(_GET_EVENT_MESSAGE, tid, 0, ctypes.addressof(message))
    return message.value


def syscall_info(tid: int) -> Entry | Exit | None:
    """Answer where a thread is that stopped at a system call; None: at none."""
    info = _Info()
    _call(_GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.addressof(info))
    if info.op == 1:
        return Entry(info.arch, info.number, tuple(info.args))
    if info.op == 2:
        return Exit(ctypes.c_int64(info.number).value)
    return None


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def skip(tid: int) -> None:
    """Let a thread that is about to enter a system call come out of it again with nothing done.

    What it comes out with is said by `answer`, when it does; else it is ENOSYS.
    """
    if platform.machine() == "x86_64":
        _call(_POKE_USER, tid, _X86_64_NUMBER, -1)
        return
    number = ctypes.c_int(-1)
    vector = _Vector(ctypes.addressof(number), ctypes.sizeof(number))
    _call(_SET_REGISTERS, tid, _SYSCALL_SET, ctypes.addressof(vector))


def answer(tid: int, value: int) -> None:
    """Let the system call that a thread comes out of have this value; negative ones are errors."""
    if platform.machine() == "x86_64":
        _call(_POKE_USER, tid, _X86_64_VALUE, value)
        return
    registers = (ctypes.c_int64 * (_AARCH64_GENERAL_BYTES // 8))()
    vector = _Vector(ctypes.addressof(registers), ctypes.sizeof(registers))
    _call(_GET_REGISTERS, tid, _GENERAL_SET, ctypes.addressof(vector))
    registers[0] = value
    _call(_SET_REGISTERS, tid, _GENERAL_SET, ctypes.addressof(vector))


def reported() -> bool:
    """Tell whether anything that the calling thread traces, or has started, has come to something.

    It is left to be waited for. One look instead of one at each thread: a runtime has a dozen.
    """
    looks = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | WALL | _OWN
    try:
        return os.waitid(os.P_ALL, 0, looks) is not None
    except ChildProcessError:
        return False


def wait(tid: int) -> int | None:
    """Answer the wait status of one thread if there is one. ChildProcessError: not ours any more.

    Never waits for just anybody: the kit has other children, who are reaped elsewhere.
    """
    found, status = os.waitpid(tid, os.WNOHANG | WALL)
    return status if found else None


@functools.cache
def ptrace_refusal() -> str | None:
    """Answer why system calls cannot be traced here, None if they can; tried once, on a child."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in {"x86_64", "aarch64"}:
        return (
            f"system calls cannot be traced on {sys.platform} {machine}: it takes ptrace on Linux, "
            f"x86_64 or aarch64; run there to have calls held at them"
        )
    try:
        _try_on_child()
    except OSError as error:
        return _in_words(error)
    return None


def _try_on_child() -> None:
    """Trace a process that waits for input that never comes, as far as a stop and its telling."""
    reading, writing = os.pipe()
    try:
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", "import os; os.read(0, 1)"],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)],
        )
        try:
            seize(child)
            interrupt(child)
            _await_stop(child)
            syscall_info(child)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, WALL)
    finally:
        os.close(reading)
        os.close(writing)


def _await_stop(tid: int) -> None:
    until = monotonic_ns() + int(_TRIAL_S * 1e9)
    while monotonic_ns() < until:
        if wait(tid) is not None:
            return
        sleep(0.0002)
    raise TimeoutError(errno.ETIMEDOUT, f"the child did not stop within {_TRIAL_S:.0f} s")


def _in_words(error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "no error number")
    said = f"system calls cannot be traced here: ptrace was refused ({name})"
    if error.errno in {errno.EPERM, errno.EACCES}:
        return f"{said}; {_who_forbids()}"
    if error.errno == errno.ENOSYS:
        return f"{said}; this kernel, or the sandbox that plays one, has no ptrace"
    if error.errno in {errno.EIO, errno.EINVAL}:
        return f"{said}; PTRACE_GET_SYSCALL_INFO takes Linux 5.3, this is {platform.release()}"
    return f"{said}: {error.strerror}"


def _who_forbids() -> str:
    with contextlib.suppress(OSError, ValueError):
        scope = int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text("ascii"))
        if scope >= 2:
            return f"kernel.yama.ptrace_scope is {scope}: set it to 1 or 0"
    return (
        "a seccomp profile forbids it, or another tracer has the kit already: give the container "
        "the capability SYS_PTRACE (docker run --cap-add=SYS_PTRACE), or run outside of it"
    )
