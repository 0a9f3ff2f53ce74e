"""The examination as one HTML file that needs nothing else: no script, no font, no picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from onewinner.doctor import matrix, plot, words
from onewinner.doctor.findings import Outcome
from onewinner.report import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onewinner.doctor.findings import Examination, Finding

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1b1f24; --page: #fff; --line: #d0d7de;
  --good: #1a7f37; --other: #9a6700; --bad: #cf222e; --soft: #57606a; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --page: #0d1117; --line: #30363d;
  --good: #3fb950; --other: #d29922; --bad: #ff7b72; --soft: #9198a1; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.number { text-align: right; white-space: nowrap; }
.conforms, .expected { color: var(--good); }
.named, .unnamed, .inconclusive { color: var(--other); }
.missed, .accused, .error { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 12px; }
svg .grid { stroke: var(--line); } svg .worst { stroke: currentColor; opacity: .5; }
svg circle { fill: currentColor; }
.matrix td, .matrix th { padding: 0 .2rem; text-align: center; font-size: 12px; }
.matrix thead th { writing-mode: vertical-rl; transform: rotate(180deg); font-weight: 400;
  padding: .3rem 0; white-space: nowrap; text-align: left; vertical-align: bottom; }
.matrix tbody th { position: sticky; left: 0; background: var(--page); text-align: left;
  white-space: nowrap; }
"""


def dumps(examined: Examination) -> str:
    """Answer the whole examination as one HTML document in UTF-8."""
    summary = "".join(f"<li>{_safe(line)}</li>" for line in words.summary(examined))
    picture = plot.svg(examined.mutants) or "<p>No mutant was caught.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>onewinner doctor</title><style>{_STYLE}</style></head><body>
<h1>onewinner doctor</h1>
<p class="soft">{_safe(words.machine(examined))}; {_safe(_asked(examined))}</p>
<ul>{summary}</ul>
{_wrong(examined)}
<h2>Time to detection</h2>
<p class="soft">A mark is the median of a mutant, the line above it goes to its worst trial.
Green: by the expected clause; amber: by another; red: missed in some trial.
What was never caught has no mark.</p>
{picture}
<h2>Targets</h2>
<div class="wide">{_targets(examined.findings)}</div>
<h2>Clause by mutant</h2>
{_matrix(examined)}
{_measured(examined)}
</body></html>
"""


def _asked(examined: Examination) -> str:
    family = f", family {examined.family}" if examined.family else ""
    return (
        f"{examined.started}, {examined.seconds:.0f} s in all; {examined.budget_s:g} s a mutant, "
        f"{text.count(examined.repeat, 'trial')} each{family}"
    )


def _wrong(examined: Examination) -> str:
    if not examined.wrong:
        return ""
    lines = "".join(
        f'<li class="{f.outcome.name.lower()}">{_safe(words.why_wrong(f))}</li>'
        for f in examined.wrong
    )
    return f"<h2>Not as it must be</h2><ul>{lines}</ul>"


def _targets(findings: Iterable[Finding]) -> str:
    titles = "".join(
        f"<th>{title}</th>"
        for title in ("Target", "Outcome", "Median", "Worst", "Calls", "Flagged by", "Expected")
    )
    rows = "\n".join(_target(finding) for finding in findings)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _target(finding: Finding) -> str:
    numbers = (
        words.seconds(finding.median_s),
        words.seconds(finding.worst_s),
        words.operations(finding),
    )
    expected = finding.mutant.clauses[0] if finding.mutant else ""
    lesson = finding.mutant.lesson if finding.mutant else ""
    return (
        f'<tr><td title="{_safe(lesson)}">{_safe(finding.target)}</td>'
        f'<td class="{finding.outcome.name.lower()}">{_safe(finding.outcome.told)}</td>'
        + "".join(f'<td class="number">{_safe(number)}</td>' for number in numbers)
        + f"<td>{_safe(words.clauses(finding))}</td><td>{_safe(expected)}</td></tr>"
    )


def _matrix(examined: Examination) -> str:
    rows = matrix.rows(examined)
    heads = "".join(f"<th>{_safe(_name(f))}</th>" for f in examined.mutants)
    body = "\n".join(
        f'<tr><th scope="row">{row.clause.id}</th>'
        + "".join(_cell(row, finding) for finding in examined.mutants)
        + "</tr>"
        for row in rows
        if not row.empty_because
    )
    empty = "".join(
        f"<li>{row.clause.id}: {_safe(row.empty_because)}</li>" for row in rows if row.empty_because
    )
    told = f"<h3>Clauses that flagged none</h3><ul>{empty}</ul>" if empty else ""
    return (
        '<p class="soft">● flagged it (o: in some of the trials), · is named by it, but the run '
        "had stopped at another clause or missed it.</p>"
        f'<div class="wide"><table class="matrix"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>{told}"
    )


def _measured(examined: Examination) -> str:
    if not examined.measured:
        return ""
    rows = matrix.lines(examined.measured)
    body = "\n".join(
        f'<tr><th scope="row">{row.clause.id}</th><td class="number">{len(row.alone)}</td>'
        f'<td class="number">{len(row.others)}</td><td>{_safe(", ".join(row.alone))}'
        f"{_softly(words.why_short(row))}{_softly(', '.join(row.others))}</td></tr>"
        for row in rows
    )
    return (
        "<h2>Clause by mutant, measured without stopping</h2>"
        f'<p class="soft">{_safe(words.matrix_summary(rows))}. Of each clause: how many mutants '
        "its family alone catches, how many others it flags, and which.</p>"
        '<div class="wide"><table><thead><tr><th>Clause</th><th>Alone</th><th>Others</th>'
        f"<th>Mutants</th></tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _softly(told: str) -> str:
    return f'<br><span class="soft">{_safe(told)}</span>' if told else ""


def _cell(row: matrix.Row, finding: Finding) -> str:
    clause, times = row.clause.id, row.flagged.get(_name(finding), 0)
    if times:
        inside = _how(clause, finding)
        mark = "●" if times == len(finding.trials) else "o"
        told = f"{clause} flagged {_name(finding)} in {times} of {len(finding.trials)}"
        return f'<td class="{inside.name.lower()}" title="{_safe(told)}">{mark}</td>'
    named = finding.mutant is not None and clause in finding.mutant.clauses
    return '<td class="soft">·</td>' if named else "<td></td>"


def _how(clause: str, finding: Finding) -> Outcome:
    named = finding.mutant.clauses if finding.mutant else ()
    if clause in named[:1]:
        return Outcome.EXPECTED
    return Outcome.NAMED if clause in named else Outcome.UNNAMED


def _name(finding: Finding) -> str:
    return finding.target.removeprefix("mutant:")


def _safe(shown: str) -> str:
    return escape(text.printable(shown, keep=""))
