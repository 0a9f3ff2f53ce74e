"""Servers for a run: whoever judges a client of a server without an address gets one of its own."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onewinner.adapters.servers import RECIPES
from onewinner.adapters.targets import Target, TargetError, command_of
from onewinner.runner.server import Server, ServerError
from onewinner.suite.scratch import scratch_directory

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served(target: Target, run_dir: str) -> Iterator[Target]:
    """Answer the target with an address: its own, or that of a server started for this block.

    Targets that need no server are answered as they are; the command of one that is served is had
    now, since to download it takes longer than a probe may. Raises TargetError where none starts.
    """
    if target.served:
        command_of(target.name)
    kind = target.server
    if kind is None or target.location is not None:
        yield target
        return
    directory = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=run_dir))
    with ExitStack() as stack:
        try:
            server = stack.enter_context(Server(RECIPES[kind], directory))
        except ServerError as error:
            raise TargetError(f"target {target.name}: {error}") from error
        yield replace(target, location=server.url, started=True)


@contextmanager
def ephemeral(name: str) -> Iterator[str]:
    """Answer the address of a server for the target `name`, started for this block.

    Programs that reproduce a violation use it. Raises TargetError where none starts.
    """
    with scratch_directory() as run_dir, served(Target(name), run_dir) as target:
        yield str(target.location)


def lacking(target: Target) -> str | None:
    """Say why a target has no server here, and what to do; None where it has one or needs none."""
    kind = target.server
    if kind is None or target.location is not None:
        return None
    return RECIPES[kind].lacking()
