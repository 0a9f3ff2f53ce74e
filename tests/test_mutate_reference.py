"""Mutation analysis: what is changed, what it is called, and what a survivor needs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

STRESS = Path(__file__).parents[1] / "stress"
sys.path.insert(0, str(STRESS))

import mutate_reference  # noqa: E402 - a script, which is no package
from higher.changes import of_node, of_text  # noqa: E402 - lies beside the script
from higher.mutations import FILES, PACKAGE, Mutation, mutations  # noqa: E402 - as above
from higher.review import Reason, reviewed, stale  # noqa: E402 - as above
from higher.trials import Trial, Workshop  # noqa: E402 - as above

ALL = [mutation for part in FILES for mutation in mutations(part)]


def changed(source: str) -> set[str]:
    """Answer what a statement or an expression becomes, a change of its outermost node each."""
    node = ast.parse(source).body[0]
    inner = node.value if isinstance(node, ast.Expr) else node
    return {ast.unparse(ast.fix_missing_locations(other)) for _, other in of_node(inner, None)}


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a is None", {"a is not None"}),
        ("a and b and c", {"a or b or c", "b and c", "a and c", "a and b"}),
        ("not a", {"a"}),
        ("a + b", {"a - b"}),
        ("7", {"8", "6"}),
        ("True", {"False"}),
        ("'text'", {"'XXtext'"}),
        ("min(a, b)", {"max(a, b)"}),
        ("a.b = 1", {"pass"}),
        ("x = 1", set()),
        ("raise error", {"pass"}),
        ("return a", {"return None"}),
        ("with lock:\n    go()", {"if True:\n    go()"}),
        ("if found:\n    go()", {"if not found:\n    go()"}),
    ],
)
def test_a_node_is_changed_in_each_way(source, after):
    """Each kind of node becomes what is written beside it, and nothing else."""
    node = ast.parse(source).body[0]
    if isinstance(node, ast.Return):
        assert {ast.unparse(other) for _, other in of_node(node, None)} == after
    else:
        assert changed(source) == after


@pytest.mark.parametrize(
    "after",
    [
        "DELETE FROM rows WHERE a = :a OR e <= :now ORDER BY b, c",
        "DELETE FROM rows WHERE a = :a AND e < :now ORDER BY b, c",
        "DELETE FROM rows WHERE a <> :a AND e <= :now ORDER BY b, c",
        "DELETE FROM rows WHERE 1 AND e <= :now ORDER BY b, c",
        "DELETE FROM rows WHERE a = :a AND 1 ORDER BY b, c",
        "DELETE FROM rows WHERE a = :a AND e <= :now ORDER BY b DESC, c",
        "DELETE FROM rows WHERE a = :a AND e <= :now ORDER BY b",
        "DELETE FROM rows WHERE a = :a AND e <= :now ORDER BY c, b",
        "DELETE FROM rows WHERE a = :a AND e <= :now ",
    ],
)
def test_sql_is_changed_in_each_way(after):
    """A text of SQL loses a term, an order or a boundary, one at a time."""
    before = "DELETE FROM rows WHERE a = :a AND e <= :now ORDER BY b, c"
    assert after in {text for _, text in of_text(before)}


def test_every_mutation_is_a_program_of_its_own():
    """Each mutation has a name of its own, can be compiled, and is not the file as it stands."""
    assert len({mutation.name for mutation in ALL}) == len(ALL)
    assert {mutation.file for mutation in ALL} == {
        file for files in FILES.values() for file in files
    }
    for mutation in ALL[::9]:
        before = ast.unparse(ast.parse((PACKAGE / mutation.file).read_text(encoding="utf-8")))
        assert mutation.write() != before
        compile(mutation.write(), mutation.file, "exec")


def test_what_decides_nothing_is_left_alone():
    """Docstrings, annotations and the messages of errors are not mutated."""
    words = [m for m in ALL if "holds a NUL or a lone surrogate" in m.change or ": int" in m.change]
    assert words == []


def test_the_smoke_run_is_of_mutations_that_exist():
    """CI tries each mutation that it names."""
    assert set(mutate_reference.SMOKE) <= {mutation.name for mutation in ALL}


def test_every_review_is_of_a_mutation_that_exists():
    """A line that is gone takes its review with it."""
    assert stale(reviewed(), ALL) == []


@pytest.mark.parametrize(
    "entry",
    [
        'kind = "unknown"\nbecause = "it is so"\nchanges = ["x"]',
        'kind = "outside"\nbecause = " "\nchanges = ["x"]',
        'kind = "outside"\nbecause = "it is so"\nchanges = ["x", "x"]',
    ],
)
def test_a_review_without_a_reason_is_refused(tmp_path, entry):
    """A review has a kind that is known and a reason, and is there once."""
    file = tmp_path / "survivors.toml"
    file.write_text(f'[[survivor]]\nwhere = "file scope"\n{entry}\n')
    with pytest.raises(ValueError, match="file scope"):
        reviewed(file)


def mutation(change: str = "a -> b") -> Mutation:
    """Answer a mutation of no file."""
    return Mutation(part="stores", file="f.py", line=1, scope="f", change=change, write=str)


REVIEWED = {"f.py f: a -> b": Reason("equivalent", "it is so")}


def test_a_survivor_needs_a_reason():
    """A mutation that nobody sees is complained about unless it was reviewed."""
    survived = [(mutation(), Trial())]
    assert "survives without a reason" in mutate_reference.complaints(survived, {})[0]
    wrong = mutate_reference.complaints(survived, REVIEWED)
    assert [line for line in wrong if "survives" in line] == []


def test_a_reason_needs_a_survivor():
    """A review that is no longer true, or of nothing, is complained about."""
    wrong = mutate_reference.complaints([(mutation(), Trial("cases", "CLAIM-1"))], REVIEWED)
    assert any("its review says that it is not" in line for line in wrong)
    assert any("does not exist" in line for line in wrong)


def test_equivalent_survivors_do_not_count():
    """The score is of what can be seen: survivors outside the contract count, equivalents not."""
    results = [(mutation(), Trial()), (mutation("c -> d"), Trial("cases", "CLAIM-1"))]
    assert mutate_reference.score("stores", results, REVIEWED).startswith("stores: 1 of 1 seen")
    assert mutate_reference.score("stores", results, {}).startswith("stores: 1 of 2 seen")


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("stores/sqlite.py LIVE: OR -> AND", "cases"),
        ("model/state.py Row.live: self.expires_at > now -> self.expires_at >= now", "cases"),
    ],
)
def test_a_mutation_is_judged_without_touching_the_tree(tmp_path, name, by):
    """A mutated store is flagged and a mutated model accuses a correct store, both elsewhere."""
    chosen = next(mutation for mutation in ALL if mutation.name == name)
    assert Workshop(tmp_path).cases(chosen).by == by
