"""Several calls, each in a child of its own, and so many of them at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from onewinner.runner.calling import call_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from onewinner.runner.calling import Ended


def in_children(
    function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], *, jobs: int, silence_s: float
) -> Iterator[Ended]:
    """Yield how `function(send, *call)` ended for each call, in their order, with `jobs` at once.

    `silence_s` as in `call_in_child`; what a child sends is heard and dropped. Whoever stops
    listening ends those that are under way.
    """
    over = threading.Event()

    def one(call: tuple[Any, ...]) -> Ended:
        return call_in_child(
            function, *call, on_message=lambda _: None, silence_s=silence_s, stop=over.is_set
        )

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(one, calls)
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)
