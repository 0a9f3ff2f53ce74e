"""Why a clause has fewer than two mutants that its family alone catches: a sentence for each."""

from __future__ import annotations

from typing import Final

EXPLAINED: Final[dict[str, str]] = {}
