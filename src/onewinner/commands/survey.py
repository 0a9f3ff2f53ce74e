"""`onewinner survey`: judge the stores of other projects."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from onewinner.arguments import asked, count, duration
from onewinner.commands import parsing, request

if TYPE_CHECKING:
    import argparse

    from onewinner.suite.tree import ExitCode

_EPILOG: Final = """\
TARGET as for verify; without one, the stores of other projects that onewinner has
adapters for. Each is judged in a process of its own, up to the highest level that
its scope allows.

exit codes: 0 all is as the catalogue has it, known violations included; 1 a store
breaks what is not in the catalogue, or keeps what it is known to break; 3 the gate
broke; 4 usage; 5 nothing ran; 7 a store could not be run, or a clause not be tested
"""


def add(commands: Any) -> None:
    """Add the command and its options."""
    parser = parsing.command(
        commands, "survey", run, "judge many stores of other projects", epilog=_EPILOG
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*", help="the stores (default: all)")
    parsing.level_argument(parser, "the highest level to judge (default: crash)")
    parser.add_argument(
        "--budget", metavar="TIME", type=asked(duration), help="time for each store: 60s"
    )
    parsing.select_argument(parser)
    parser.add_argument(
        "--jobs", metavar="N", type=asked(count), default=1,
        help="judge N at once; they disturb each other then (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--json", metavar="FILE", help="write the result as JSON, after each store anew"
    )
    parser.add_argument(
        "--from", dest="held", metavar="FILE", action="append", default=[],
        help="take over what such a JSON file holds, and judge the rest; may be repeated",
    )  # fmt: skip
    parser.add_argument("--write", metavar="FILE", help="write a page of Markdown")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> ExitCode:
    """Judge the stores of other projects that onewinner has adapters for, or those given."""
    from onewinner.adapters.targets import TargetError
    from onewinner.report.ticking import ticking
    from onewinner.suite.engine import UsageError
    from onewinner.survey import json, markdown, surveying, words
    from onewinner.survey.catalogue import catalogue
    from onewinner.survey.findings import Survey, Surveyed

    def keep(found: Survey) -> None:
        if args.json is not None:
            request.write("--json", args.json, json.dumps(found))

    targets = args.targets or tuple(catalogue())

    def tell(store: Surveyed, found: Survey) -> None:
        keep(found)
        ticker.doing = f"{len(found.stores)} of {len(targets)} stores"
        ticker.say(words.line(store))

    try:
        earlier = [json.loads(request.read("--from", path), path) for path in args.held]
        held = {s.target: s for each in earlier for s in each.stores if s.ended == "judged"}
        keep(Survey(stores=tuple(held.values())))
        if args.write is not None:
            request.opened("--write", args.write, "a").close()  # told now, and not after an hour
        with ticking(sys.stderr, f"0 of {len(targets)} stores", quiet=args.quiet) as ticker:
            found = surveying.survey(
                targets,
                level=args.level,
                budget_s=args.budget,
                select=tuple(args.select),
                jobs=args.jobs,
                held=held,
                on_surveyed=tell,
            )
    except (TargetError, UsageError) as error:
        raise request.Unusable(str(error)) from error
    keep(found)
    if args.write is not None:
        request.write("--write", args.write, markdown.dumps(found))
    request.say(words.render(found))
    return found.exit_code
