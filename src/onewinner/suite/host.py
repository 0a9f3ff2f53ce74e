"""The host: runs the sequential checks in a child process, because a target may hang or die.

The child tells which check it begins, what it found, and, from a thread of its own, that it is
alive; a call that does not return within `Job.call_max_s` is named before the child ends itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from onewinner.adapters.targets import TargetError, source_of
from onewinner.clock import SystemClock, monotonic_ns
from onewinner.contract import StoreError
from onewinner.contract.newer import arguments
from onewinner.suite.options import CALL_MAX_S
from onewinner.suite.tree import CheckResult, Status
from onewinner.suite.underway import CLAIMS

if TYPE_CHECKING:
    from onewinner.adapters.targets import Target
    from onewinner.contract import Capabilities
    from onewinner.runner import Ended
    from onewinner.suite.registry import Check
    from onewinner.suite.session import Session

Send: TypeAlias = Callable[[object], None]

_ONE_AT_A_TIME = (
    "the command takes one request at a time, so what its clients do on threads waits in line and "
    "never meets inside the store; with maxInFlight above 1 it would"
)
_LOOK_S = 0.2
_ALIVE_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Began:
    """A check began."""

    check: str


@dataclass(frozen=True, slots=True)
class Found:
    """A check ended with these results."""

    check: str
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """The check that runs is under way; `counters` say how far."""

    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hung:
    """A call did not return in time; the child ends itself after this."""

    call: str


def host(
    send: Send, target: Target, capabilities: Capabilities, checks: list[Check], job: Job
) -> None:
    """Run cases and programs one after the other; the body of a child process."""
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(job.run_dir, "hypothesis"))  # noqa: PTH118 - an environment variable is text
    watch = _Watch(send, job.call_max_s)
    threading.Thread(target=watch.run, daemon=True).start()
    for check in checks:
        send(Began(check.name))
        results = run_sequential(
            check, target, capabilities, job, on_session=watch.follow, on_batch=watch.count
        )
        watch.rest()
        send(Found(check.name, tuple(results)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the checks of a child share."""

    run_dir: str
    budget_s: float
    seed: int
    call_max_s: float = CALL_MAX_S


def run_sequential(
    check: Check,
    target: Target,
    capabilities: Capabilities,
    job: Job,
    *,
    on_session: Callable[[Session], None] | None = None,
    on_batch: Callable[[Any], None] | None = None,
) -> list[CheckResult]:
    """Run a case or the random programs in this process."""
    if check.kind == "case":
        from onewinner.suite.cases import CASES, run_case

        return run_case(CASES[check.name], target, capabilities, job.run_dir, on_session=on_session)
    from onewinner.suite.programs import run_programs

    return run_programs(
        target,
        capabilities,
        job.run_dir,
        budget_s=job.budget_s,
        seed=job.seed,
        on_session=on_session,
        on_batch=on_batch,
    )


class _Watch:
    """Looks at the session that is under way, and tells when one call does not come back."""

    def __init__(self, send: Send, call_max_s: float) -> None:
        self._send = send
        self._call_max_ns = call_max_s * 1e9
        self._session: Session | None = None
        self._counters: dict[str, int] = {}
        self._told_ns = monotonic_ns()

    def follow(self, session: Session) -> None:
        self._session = session

    def count(self, campaign: Any) -> None:
        claims = campaign.marks["claim won"] + campaign.marks["claim refused"]
        self._counters = {CLAIMS: claims, "programs": campaign.programs}

    def rest(self) -> None:
        self._session = None
        self._counters = {}

    def run(self) -> None:
        seen, since = (0, ""), monotonic_ns()
        while True:
            threading.Event().wait(_LOOK_S)
            session, now = self._session, monotonic_ns()
            current = (session.calls, session.current) if session is not None else (0, "")
            if current != seen or not current[1]:
                seen, since = current, now
            if now - since > self._call_max_ns:
                self._send(Hung(current[1]))
                os._exit(70)
            if now - self._told_ns > _ALIVE_NS:
                self._told_ns = now
                self._send(Alive(self._counters))


@dataclass(frozen=True, slots=True)
class Probed:
    """What a first look at a target showed: its capabilities, or why it cannot be judged.

    `notes` are for whoever reads the run; `source` is where the adapter's code begins.
    """

    capabilities: Capabilities | None = None
    refusal: str = ""
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: tuple[str, int] | None = None

    @property
    def declared(self) -> Capabilities:
        """What is declared, of a target that was not refused."""
        assert self.capabilities is not None
        return self.capabilities


def probe(_send: Send, target: Target, location: str) -> Probed:
    """Connect, look for every declared operation, win one claim and lose one.

    The body of a child process. What a judge of *stores* would call a violation (a claim that is
    not won) is told in `lines`; what makes judging impossible is the `refusal`.
    """
    try:
        backend = target.connect(location, SystemClock())
    except TargetError as error:
        return Probed(refusal=str(error))
    capabilities = backend.capabilities
    who = f"{type(backend).__module__}.{type(backend).__qualname__}"
    served: Any = backend if target.served else None
    lines = [f"connected: {served.introduction if served else who}"]
    try:
        store: Any = backend.open("onewinner-probe", "probe", max_entries=10)
    except Exception as error:
        return Probed(refusal=f"target {target.name}: open raised {type(error).__name__}: {error}")
    lacking = sorted(
        operation
        for operation in capabilities.operations - {"sweep_expired"}
        if not callable(getattr(store, operation, None))
    )
    if lacking:
        return Probed(
            refusal=f"target {target.name}: it declares {', '.join(lacking)}, but "
            f"{type(store).__name__} has no such method; add it, or declare "
            f"Capabilities(...).without({', '.join(map(repr, lacking))})"
        )
    if "register_if_absent" in capabilities.operations:
        lines += _one_win_one_refusal(store, f"k{monotonic_ns()}")
    if target.served:
        lines += _each_word(backend, store, capabilities.operations)
    try:
        backend.close()
    except Exception as error:
        lines.append(f"WRONG: close raised {type(error).__name__}: {error}")
    if target.served and (fault := target.fault()) is not None:
        return Probed(refusal=str(fault), lines=tuple(lines))
    notes = () if served is None or served.concurrent else (_ONE_AT_A_TIME,)
    return Probed(capabilities, lines=tuple(lines), notes=notes, source=source_of(target))


_WORDS: Final[tuple[tuple[str, str | None, Any], ...]] = (
    ("register", "w", None),
    ("lookup", "w", None),
    ("lookup_many", None, ["w", "never"]),
    ("count", None, None),
    ("entries", None, None),
    ("update", "n", {"increment": 1}),
    ("delete_if", "n", {"above": 1}),
    ("observe", "n", None),
    ("compare_and_apply", "n", {"set": 2}),
    ("compare_and_apply", "n", {"delete": None}),
    ("delete_if_equal", "n", 2),
    ("consume", "w", None),
    ("delete", "w", None),
    ("clear", None, None),
    ("sweep_expired", None, None),
)


def _each_word(backend: Any, store: Any, operations: frozenset[str]) -> list[str]:
    """Make each call once, so that each kind of answer has been held against the schema."""
    made = 0
    observed = ""
    for f, key, value in _WORDS:
        if f in operations:
            on = backend if f == "sweep_expired" else store
            by_place, by_name = arguments(f, key, value, None, observed)
            try:
                answer = getattr(on, f)(*by_place, **by_name)
                observed = answer.comparison if f == "observe" else observed
            except StoreError as error:
                return [f"WRONG: {f} raised {error}"]
            except TargetError:
                return []  # it is told as what it is
            made += 1
    return [f"every message is one that specs/protocol.schema.json allows ({made} more calls)"]


def _one_win_one_refusal(store: Any, key: str) -> list[str]:
    lines = []
    for wanted, word in ((True, "first"), (False, "second")):
        try:
            answer = store.register_if_absent(key, word)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        verdict = "" if answer is wanted else f"WRONG, {wanted} was due: "
        lines.append(f"{verdict}the {word} claim of one key answered {answer!r}")
    return lines


def hung_result(check: Check, clause: str, why: str) -> CheckResult:
    """Answer the result of a check in which the target hung, died or broke its interface."""
    return CheckResult(check=check.name, clause=clause, status=Status.ERROR, reason=why)


def last_words(ended: Ended) -> str:
    """Answer what a child printed last, ready to follow a sentence; empty where nothing."""
    if not ended.stderr_tail:
        return ""
    return "; the last lines that it printed:\n  " + "\n  ".join(ended.stderr_tail[-8:])
