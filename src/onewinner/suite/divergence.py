"""What ends a program on a session: an answer that nothing explains, or too many explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onewinner.model import describe_answer, describe_call
from onewinner.suite.answers import describe_observed

if TYPE_CHECKING:
    from onewinner.model import Answer, Call, State
    from onewinner.suite.answers import Observed


class Divergence(Exception):  # noqa: N818 - it is what the store did, not an error of the kit
    """The store answered what the contract does not allow.

    `before` is the model's state in which the call was made, `expected` all that was allowed.
    `clause` is set where the program says which clause it is about, else None.
    """

    def __init__(
        self,
        *,
        call: Call,
        expected: tuple[Answer, ...],
        observed: Observed,
        before: State,
        now: int,
        clause: str | None,
    ) -> None:
        self.call = call
        self.expected = expected
        self.observed = observed
        self.before = before
        self.now = now
        self.clause = clause
        super().__init__(f"{describe_call(call)} {describe_observed(observed)}, {self.due}")

    @property
    def due(self) -> str:
        """What the contract would have had, in words."""
        return "where the contract has " + " or ".join(map(describe_answer, self.expected))


class Undecided(Exception):  # noqa: N818 - neither the store's mistake nor the kit's
    """No state that was kept explains the answer, and not all that might were kept."""
