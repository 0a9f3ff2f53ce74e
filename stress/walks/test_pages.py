"""A reader who does what a page of the documents shows comes to the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from documents import PAGES, ROOT, File, Session, commands, steps

if TYPE_CHECKING:
    from pathlib import Path

RUN = [page for page in PAGES if any(not each.elsewhere for each in commands(page))]


def named(page: Path) -> str:
    """Answer the name of a page in the project."""
    return str(page.relative_to(ROOT))


@pytest.mark.xdist_group("onewinner-stress")  # one race at a time, as in the plugin
@pytest.mark.parametrize("page", RUN, ids=named)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    """A reader who does all that a page shows, in its order, comes to the end of it."""
    session = Session(tmp_path)
    for step in steps(page.read_text(encoding="utf-8")):
        if isinstance(step, File):
            session.write(step)
        elif not step.elsewhere:
            session.run(step)
