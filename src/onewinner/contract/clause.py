"""What a clause is: one numbered sentence of the contract, and when it applies to a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from onewinner.contract.capabilities import Capabilities

Level: TypeAlias = Literal["thread", "process", "crash"]
Severity: TypeAlias = Literal["critical", "major", "minor"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One numbered sentence of the contract.

    `needs` are tokens that `missing` understands: an operation's name, or `ttl`, `eviction`,
    `reject-new`, `row-cap`, `process-scope`, `durable`, `virtual-clock`, `input-rules`,
    `private-files`, `damage`, `overflow-option`, `strict-ages`; of `a|b` one is enough. `note`
    settles what the sentence leaves open. Severity `critical`: two holders, or a lost or foreign
    row; `major`: a wrong answer or a broken limit; `minor`: a hazard that needs bad luck in timing
    to hurt.
    """

    id: str
    level: Level
    severity: Severity
    sentence: str
    needs: tuple[str, ...] = ()
    note: str = ""

    @property
    def family(self) -> str:
        """The part of the id before the hyphen."""
        return self.id.partition("-")[0]

    def of_another_profile(self, capabilities: Capabilities) -> bool:
        """Tell whether the clause is about an overflow policy that is not this store's.

        Such a clause is no gap in what the store declares: it is left out instead of being `n/a`.
        """
        rejects = capabilities.limits.overflow_policy == "reject-new"
        return ("eviction" if rejects else "reject-new") in self.needs

    def missing(self, capabilities: Capabilities) -> str | None:
        """Say which declaration is missing for this clause to apply, or None where it applies."""
        for need in self.needs:
            reason = missing_need(need, capabilities)
            if reason is not None:
                return reason
        return None


def missing_need(need: str, capabilities: Capabilities) -> str | None:
    """Say why a need is not met (see `Clause.needs`), or None where it is.

    Of several, written `a|b`, one is enough.
    """
    if "|" in need:
        some = [missing_need(each, capabilities) for each in need.split("|")]
        return None if None in some else f"{need.replace('|', ' or ')} is not declared"
    evicts = capabilities.limits.overflow_policy == "evict-oldest"
    declared = {
        "ttl": capabilities.ttl_unit_ms is not None,
        "eviction": capabilities.eviction is not None and evicts,
        "reject-new": capabilities.eviction is not None and not evicts,
        "row-cap": capabilities.limits.plugin_row_cap is not None,
        "virtual-clock": capabilities.virtual_clock,
        "process-scope": capabilities.scope == "process",
        "durable": capabilities.durable,
        "input-rules": capabilities.validates_input,
        "private-files": capabilities.private_files,
        "damage": capabilities.damage,
        "overflow-option": capabilities.overflow_option and capabilities.eviction is not None,
        "strict-ages": capabilities.strict_ages,
    }
    if need in declared:
        return None if declared[need] else f"{need} is not declared"
    return None if need in capabilities.operations else f"operation {need} is not declared"
