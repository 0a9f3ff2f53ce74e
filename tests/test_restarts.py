"""Restarts of a server: what is judged, and what is said where no server is the kit's to kill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onewinner.adapters.servers import RECIPES
from onewinner.adapters.targets import Target
from onewinner.clock import SystemClock
from onewinner.contract import ABSENT, Capabilities
from onewinner.generator import Call
from onewinner.suite import restarts
from onewinner.suite.faults import Ask, Tally, run_fault
from onewinner.suite.scratch import scratch_directory
from onewinner.suite.servers import served
from onewinner.suite.tree import Status
from onewinner.worker.journal import INFO, OK

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE = Call("register_if_absent", "p", "n", "k", {"by": 0})
OTHERS = Call("register_if_absent", "p", "n", "k", {"by": 1})
WON = restarts._Made(0, MINE, (OK, True))
LOST = restarts._Made(0, MINE, (OK, False))
CUT = restarts._Made(0, MINE, (INFO, "the connection is gone"))
OTHER_WON = restarts._Made(1, OTHERS, (OK, True))


def seen(value: object = ABSENT, *, held: bool = False, failed: str = "") -> restarts._Seen:
    """Answer what a new process saw of a key."""
    return restarts._Seen(value, held, failed)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A directory that the user of a server can reach."""
    with scratch_directory() as made:
        yield Path(made)


def judged(claims: list[restarts._Made], found: restarts._Seen) -> set[str]:
    """Answer the clauses that a restart is blamed for."""
    tally = Tally()
    target = Target("redis", location="redis://127.0.0.1:1/0", started=True)
    ask = Ask(
        target=target,
        capabilities=Capabilities(),
        home=Path(),
        budget_s=1.0,
        seed=1,
        clauses=frozenset({"DUR-3", "DUR-4", "DUR-6"}),
    )
    restarts._Restart(ask, tally, None, 0)._judge("k", claims, found)  # type: ignore[arg-type]
    return set(tally.broken)


class TestTheJudge:
    @pytest.mark.parametrize(
        ("claims", "found"),
        [
            ([WON], seen({"by": 0}, held=True)),
            ([CUT], seen({"by": 0}, held=True)),
            ([CUT], seen()),
            ([OTHER_WON, LOST], seen({"by": 1}, held=True)),
            ([CUT, restarts._Made(1, OTHERS, (OK, False))], seen({"by": 0}, held=True)),
        ],
    )
    def test_what_can_be_explained_is_nobodys_fault(
        self, claims: list[restarts._Made], found: restarts._Seen
    ) -> None:
        """A claim that met an error has happened or not; what was told is there."""
        assert judged(claims, found) == set()

    @pytest.mark.parametrize(
        ("claims", "found", "clause"),
        [
            ([WON], seen(), "DUR-3"),
            ([LOST], seen(), "DUR-3"),
            ([WON, OTHER_WON], seen({"by": 1}, held=True), "DUR-3"),
            ([WON], seen({"by": 1}, held=True), "DUR-4"),
            ([LOST], seen({"by": 0}, held=True), "DUR-4"),
            ([WON], seen(held=True), "DUR-4"),
            ([WON], seen(failed="WRITE_FAILED"), "DUR-6"),
        ],
    )
    def test_what_cannot_is_blamed(
        self, claims: list[restarts._Made], found: restarts._Seen, clause: str
    ) -> None:
        """A row that is gone, one that nobody won, a claim that lost to itself, no service."""
        assert judged(claims, found) == {clause}


class TestTheCheck:
    @pytest.mark.parametrize("location", [None, "redis://127.0.0.1:1/0"])
    def test_a_server_of_others_is_not_killed(self, run_dir: Path, location: str | None) -> None:
        """Without a server of the kit's the check does not apply, and says why."""
        target = Target("sqlite" if location is None else "redis", location=location)
        found = run_fault(
            "server-restarts", target, Capabilities(), run_dir=run_dir, budget_s=1.0, seed=1
        )
        assert {result.status for result in found} == {Status.NA}
        assert {result.reason for result in found} == {restarts._NO_SERVER}

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("redis", Status.PASS),
            ("mutant:redis-without-append-only-file", Status.FAIL),
        ],
    )
    def test_what_a_server_was_told_is_there_or_missed(
        self, name: str, expected: Status, run_dir: Path
    ) -> None:
        """A server that writes its rows down has them after a kill, one that does not has not."""
        target = Target(name)
        if (lacking := RECIPES[str(target.server)].lacking()) is not None:
            pytest.skip(lacking)
        with served(target, str(run_dir)) as found:
            backend = found.connect(str(found.location), SystemClock())
            backend.close()
            (result,) = run_fault(
                "server-restarts",
                found,
                backend.capabilities,
                run_dir=run_dir,
                budget_s=0.1,
                seed=3,
                chosen=frozenset({"DUR-3"}),
            )
        assert result.status is expected, result.reason
        assert result.evidence["restarts"] == (restarts.FLOOR if expected is Status.PASS else 1)
