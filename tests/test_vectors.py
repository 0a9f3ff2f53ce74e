"""Test vectors: frozen, generated from the model, kept by the reference stores, told by mutants."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from onewinner import cli
from onewinner.adapters.targets import Target
from onewinner.clock import ManualClock
from onewinner.contract import ABSENT, Capabilities, StoreError
from onewinner.contract.clauses import CLAUSES
from onewinner.contract.newer import arguments
from onewinner.contract.values import canonical
from onewinner.mutants import MUTANTS
from onewinner.report.vectors import render
from onewinner.stores import newer_memory
from onewinner.suite.cases import CASES
from onewinner.suite.tree import ExitCode, Status
from onewinner.suite.vectors import format as files
from onewinner.suite.vectors.format import Vector, expand, vectors
from onewinner.suite.vectors.play import Difference, play
from onewinner.suite.vectors.run import Judged, VectorsResult, run
from tidy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPECS = ROOT / "specs"
sys.path.insert(0, str(SPECS))

import generate_vectors  # noqa: E402 - a script, which is no package
from recorder import layout, notation  # noqa: E402 - lies beside the script

EVERY = vectors()
SCHEMA = json.loads((SPECS / "vectors.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
STORES = {
    "memory": "memory",
    "sqlite": "sqlite",
    "memory, strict ages": "python:onewinner.stores.newer_memory:connect_strict",
    "sqlite, strict ages": "python:onewinner.stores.newer_sqlite:connect_strict",
}
SEQUENTIAL = [m for m in MUTANTS.values() if m.shows == "alone" and not m.server]


def told(value: Any) -> Any:
    """Answer a value with words in the place of what JSON cannot hold."""
    match value:
        case float() if not math.isfinite(value):
            return f"number {'NaN' if value != value else 'Infinity' if value > 0 else '-Infinity'}"  # noqa: PLR0124 - NaN
        case bytes():
            return f"bytes {value.hex()}"
        case list():
            return "cycle" if any(m is value for m in value) else [told(m) for m in value]
        case dict():
            return {name: told(member) for name, member in value.items()}
        case None | bool() | int() | float() | str():
            return value
    return "other"


def capabilities(target: Target, where: Path) -> Capabilities:
    """Answer what a target declares."""
    backend = target.connect(str(where / "probe"), ManualClock())
    backend.close()
    return backend.capabilities


@pytest.fixture
def home() -> Iterator[Path]:
    """Answer a directory in memory, where there is one: the stores keep files, and sync them."""
    from pathlib import Path

    from onewinner.suite.scratch import scratch_directory

    with scratch_directory() as made:
        (Path(made) / "probe").mkdir()
        yield Path(made)


def differences(
    target: Target, offered: Capabilities, chosen: list[Vector], home: Path
) -> Iterator[tuple[Vector, Difference]]:
    """Yield each vector that a target fails, with the step."""
    for vector in chosen:
        if vector.missing(offered) is None:
            location = tempfile.mkdtemp(dir=home)
            if (found := play(vector, target, offered, location)) is not None:
                yield vector, found


class TestFiles:
    def test_the_files_are_what_is_generated(self) -> None:
        """What is frozen is what the cases do and the model has for it, to the letter."""
        release = max(generate_vectors.releases())
        written = {p.name: p.read_text("utf-8") for p in (SPECS / "vectors").glob("*.json")}
        made = layout.texts(release)
        assert written.keys() == made.keys()
        assert [name for name in made if made[name] != written[name]] == []

    def test_a_release_is_frozen(self) -> None:
        """The sum of the newest release is that of the files, whatever number they carry."""
        known = generate_vectors.releases()
        written = {p.name: p.read_text("utf-8") for p in (SPECS / "vectors").glob("*.json")}
        assert known[max(known)] == layout.digest(written)
        changed = {**written, "ERR.json": written["ERR.json"].replace("true", "false")}
        assert known[max(known)] != layout.digest(changed)

    def test_the_files_follow_the_schema(self) -> None:
        """Each file is what the published schema describes."""
        VALIDATOR.check_schema(SCHEMA)
        for name, text in files.texts().items():
            if name != "vectors.schema.json":
                VALIDATOR.validate(json.loads(text))

    @pytest.mark.parametrize(
        "step",
        [
            {"at": 0, "op": "lookup", "on": "s1", "answers": [True]},
            {"at": 0, "op": "lookup", "on": "s1", "key": "k", "answers": []},
            {"at": 0, "op": "lookup", "on": "s1", "key": "k", "ttlMs": 1, "answers": [None]},
            {"at": 0, "op": "peek", "on": "s1", "key": "k", "answers": [None]},
            {"at": 0, "op": "lookup", "on": "s1", "key": "k", "answers": [{"wrong": 1}]},
        ],
    )
    def test_the_schema_can_refuse(self, step: dict[str, Any]) -> None:
        """A step without its key, or with what it does not take, is no step."""
        whole = json.loads((SPECS / "vectors" / "CLAIM.json").read_text("utf-8"))
        whole["vectors"][0]["steps"][1] = step
        assert not VALIDATOR.is_valid(whole)

    def test_the_package_finds_those_of_the_tree(self) -> None:
        """What `onewinner vectors` reads, installed or not, is `specs/vectors/` and its schema."""
        there = [*(SPECS / "vectors").glob("*.json"), SPECS / "vectors.schema.json"]
        assert files.texts() == {path.name: path.read_text("utf-8") for path in there}

    def test_a_wheel_takes_them_along(self) -> None:
        """The wheel is told to put the files where the package looks for them."""
        text = (ROOT / "pyproject.toml").read_text("utf-8")
        assert '"specs/vectors" = "onewinner/suite/vectors/data"' in text
        assert '"specs/vectors.schema.json" = "onewinner/suite/vectors/data/vectors' in text

    def test_no_files_are_told(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Where the files are not, the error says where they should be and what to do."""
        monkeypatch.setattr(files, "_SPECS", tmp_path)
        monkeypatch.setattr(files, "_PACKED", tmp_path / "data")
        with pytest.raises(files.VectorError, match="install onewinner again"):
            vectors()

    def test_a_newer_form_is_not_read(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Files of another version are refused, and not misread."""
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "CLAIM.json").write_text('{"version": 2, "vectors": []}')
        monkeypatch.setattr(files, "_PACKED", tmp_path / "data")
        with pytest.raises(files.VectorError, match="version 2"):
            vectors()


class TestCoverage:
    def test_every_clause_with_a_case_has_a_vector(self) -> None:
        """What one caller can see is in the vectors."""
        sequential = {case.clause for case in CASES.values() if case.time != "real"}
        covered = {clause for vector in EVERY for clause in vector.clauses}
        assert sequential - covered == set()
        assert covered <= CLAUSES.keys()

    def test_there_are_enough_and_they_are_short(self) -> None:
        """A few thousand steps in all, and none of them more than a person reads."""
        assert sum(len(vector.steps) for vector in EVERY) >= 300
        assert max(len(vector.steps) for vector in EVERY) < 200
        assert len({vector.name for vector in EVERY}) == len(EVERY)

    def test_the_guide_names_each_operation(self) -> None:
        """`specs/vectors.md` says what each operation that is there is answered with."""
        guide = (SPECS / "vectors.md").read_text("utf-8")
        assert [op for v in EVERY for s in v.steps if f"`{(op := s['op'])}`" not in guide] == []

    @pytest.mark.parametrize("name", STORES)
    def test_the_reference_stores_pass(self, name: str, home: Path) -> None:
        """The reference stores answer each step as the vectors have it."""
        target = Target(STORES[name])
        offered = capabilities(target, home)
        applying = [vector for vector in EVERY if vector.missing(offered) is None]
        assert list(differences(target, offered, applying, home)) == []
        assert len(applying) > 150

    def test_every_mutant_of_one_caller_fails_one(self, home: Path) -> None:
        """What one caller can see of a known bug, a vector of a clause that it names shows."""
        unseen = {m.name for m in SEQUENTIAL if not self._shown(m.name, m.clauses, home)}
        assert unseen == set()

    def _shown(self, name: str, clauses: tuple[str, ...], home: Path) -> bool:
        target = Target(f"mutant:{name}")
        offered = capabilities(target, home)
        named = [vector for vector in EVERY if set(clauses) & set(vector.clauses)]
        named.sort(
            key=lambda v: (clauses[0] not in v.clauses, v.rules.get("rows", 0), len(v.steps))
        )
        return any(True for _ in differences(target, offered, named, home))


class TestNotation:
    @pytest.mark.parametrize(
        ("noted", "whole"),
        [
            ({"$repeat": "ab", "times": 3}, "ababab"),
            ({"$repeat": [[]], "times": 2}, [[], []]),
            ({"$join": [" ", {"$repeat": "l", "times": 3}, "!"]}, " lll!"),
            ({"$nest": 0, "times": 2}, [[0]]),
            ({"$nest": {"a": {"$repeat": "x", "times": 2}}, "times": 1}, [{"a": "xx"}]),
            ({"$cap": -3}, 997),
            (
                {"$filled": {"$cap": -998}, "prefix": "f", "at": 7},
                [["f000000", 0, 7, None], ["f000001", 1, 7, None]],
            ),
            ({"a": [1, {"$cap": 1}]}, {"a": [1, 1001]}),
            ({"repeat": "x", "times": 3}, {"repeat": "x", "times": 3}),
        ],
    )
    def test_what_is_short_is_written_out(self, noted: Any, whole: Any) -> None:
        """Each word of the notation means what the guide says; all else means itself."""
        assert expand(noted, 1_000) == whole

    @pytest.mark.parametrize(
        "value",
        [
            "x" * 65_536,
            " " + "l" * 512 + " ",
            "é" * 255 + "aa",
            "[{" * 256,
            [[]] * 256,
            [{"a": []}] * 20,
            json.loads("[" * 64 + "0" + "]" * 64),
            {"a": 0, "b": {"c": json.loads("[" * 40 + "]" * 40)}},
            "nothing of this rather long text is repeated, so it must stand there just as it is",
            [True] * 20,
            [True, 1] * 20,
        ],
    )
    def test_what_was_long_comes_back(self, value: Any) -> None:
        """A value that is written in short is the same when it is read."""
        written = json.loads(json.dumps(notation.short(value)))
        assert canonical(expand(written)) == canonical(value)
        assert len(json.dumps(written)) < 250

    def test_no_part_is_shared(self) -> None:
        """A part that is repeated is one of its own each time, as JSON has it."""
        first, second = expand({"$repeat": [[]], "times": 2})
        assert first is not second


def vector(*steps: dict[str, Any], **more: Any) -> Vector:
    """Answer a vector of these steps, after one that opens a namespace."""
    opened = {"at": 0, "op": "open", "on": "c1", "as": "s1", "plugin": "p", "namespace": "n"}
    given: dict[str, Any] = {
        "file": "CLAIM",
        "name": "made",
        "says": "Made for a test.",
        "clauses": ("CLAIM-1",),
        "needs": (),
        "rules": {},
        "steps": ({**opened, "maxEntries": 5, "answers": [None]}, *steps),
        "start_ms": 1_000_000,
    }
    return Vector(**{**given, **more})


def step(op: str, answer: Any, **given: Any) -> dict[str, Any]:
    """Answer a step on the namespace that is open."""
    return {"at": 0, "op": op, "on": "s1", **given, "answers": [answer]}


def played(name: str, made: Vector, home: Path) -> Difference | None:
    """Play a vector on a target."""
    target = Target(name)
    offered = capabilities(target, home)
    return play(made, target, offered, tempfile.mkdtemp(dir=home))


def called(name: str) -> Vector:
    """Answer the vector of a name."""
    return next(each for each in EVERY if each.name == name)


class TestPlay:
    def test_the_first_difference_is_told(self, home: Path) -> None:
        """The step is told by its number, its time, its call, what may be answered and what was."""
        claims = [step("registerIfAbsent", won, key="k", value=1) for won in (True, False)]
        found = played("mutant:claim-always-true", vector(*claims), home)
        assert found == Difference(
            step=3,
            call='s1.registerIfAbsent(key="k", value=1)',
            at_ms=0,
            allowed=("false",),
            seen="true",
        )

    def test_an_error_must_name_the_operation(self, home: Path) -> None:
        """Where a vector says which operation an error names, another one is a difference."""
        found = played(
            "mutant:error-names-no-operation", called("errors_name_code_and_operation"), home
        )
        assert found is not None
        assert found.seen.startswith('{"error": "INVALID_INPUT"} that names ')

    def test_any_of_several_answers_will_do(self, home: Path) -> None:
        """Where the contract leaves a choice, each answer that it allows is right."""
        choice = {**step("delete", True, key="k"), "answers": [True, False]}
        assert played("memory", vector(choice), home) is None

    def test_one_is_not_true(self, home: Path) -> None:
        """Answers are compared as JSON: a number is not a boolean, and 1.0 is 1."""
        wrong = step("registerIfAbsent", 1, key="k", value=1)
        assert played("memory", vector(wrong), home) is not None
        wrote = step("register", None, key="k", value=1.0)
        assert played("memory", vector(wrote, step("lookup", {"value": 1}, key="k")), home) is None

    def test_a_refused_handle_is_passed_over(self, home: Path) -> None:
        """Where a store may refuse to open a namespace, and does, its steps are left out."""
        again = {**vector().steps[0], "as": "s2", "maxEntries": 6, "answers": [None, REFUSED]}
        lost = step("lookup", "whatever", key="k") | {"on": "s2"}
        assert played("memory", vector(again, lost), home) is None

    def test_a_look_that_the_store_lacks_is_passed_over(self, home: Path) -> None:
        """Readers change nothing, so a store that lacks one can be given the rest."""
        look = step("entries", [["k", 1, 0, None]])
        assert played("mutant:keys-with-spaces-refused", vector(look), home) is None

    def test_a_store_with_a_clock_of_its_own_is_asked_what_time_does_not_change(
        self, home: Path
    ) -> None:
        """Vectors with short lives are left to stores in virtual time, the others are played."""
        target = Target("python:clock_stores:RealBackend")
        offered = capabilities(target, home)
        claims = [each for each in EVERY if each.file == "CLAIM"]
        missing = {each.name for each in claims if each.missing(offered)}
        assert "refused_claim_does_not_renew" in missing
        assert len(missing) < len(claims) / 2
        assert list(differences(target, offered, claims, home)) == []

    def test_a_listing_in_real_time_is_held_by_its_lives(self, home: Path) -> None:
        """Times are the store's own then; rows, values and lives must be as the vector has them."""
        lasting = step("registerIfAbsent", True, key="k", value=1, ttlMs=3_600_000)
        right, wrong = ([["k", 1, 0, ends]] for ends in (3_600_000, 7_200_000))
        real = "python:clock_stores:RealBackend"
        assert played(real, vector(lasting, step("entries", right)), home) is None
        assert played(real, vector(lasting, step("entries", wrong)), home) is not None


REFUSED = {"error": "INVALID_INPUT"}


class Moved:
    """A clock that is set, as the guide's code sets it."""

    def __init__(self) -> None:
        self.set(0)

    def set(self, now_ms: int) -> None:
        """Set the time."""
        self.now = now_ms

    def now_ms(self) -> int:
        """Answer the time."""
        return self.now


class Caller:
    """The one line for each operation that the guide leaves to the reader, for the memory store."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.seen: dict[str, Any] = {}

    def connect(self, clock: Any) -> Any:
        """Connect to the one store of a vector."""
        self.clock = clock
        return newer_memory.connect(self.location, clock=clock)

    def __call__(self, handles: dict[str, Any], step: dict[str, Any]) -> Any:
        """Make a step, and answer as the guide's table has it."""
        try:
            return self._called(handles, files.snake(step["op"]), step)
        except StoreError as error:
            return {"error": error.code}

    def _called(self, handles: dict[str, Any], f: str, step: dict[str, Any]) -> Any:
        if f in {"connect", "reopen"}:
            handles[step.get("as", "c1")] = self.connect(self.clock)
            return None
        handle = handles[step["on"]]
        if f == "close":
            return handles.pop(step["on"]).close()
        if f == "fill":
            for i in range(step["count"]):
                handle.register(f"{step['prefix']}{i:06}", i, ttl_ms=step.get("ttlMs"))
            return None
        if f == "open":
            names = {"maxEntries": "max_entries", "defaultTtlMs": "default_ttl_ms"}
            names["overflowPolicy"] = "overflow_policy"
            options = {names[name]: step[name] for name in names if name in step}
            made = handle.open(step["plugin"], step["namespace"], **options)
            if "as" in step:
                handles[step["as"]] = made
            return None
        return self._answered(handle, f, step)

    def _answered(self, handle: Any, f: str, step: dict[str, Any]) -> Any:
        compared = step.get("comparison")
        if isinstance(compared, dict):
            compared = self.seen[compared["of"]]
        value = step.get(files.VALUES.get(f, ""))
        by_place, by_name = arguments(f, step.get("key"), value, step.get("ttlMs"), compared)
        found = getattr(handle, f)(*by_place, **by_name)
        if f == "observe":
            self.seen[step["as"]], found = found.comparison, found.value
        if f == "entries":
            start = 1_700_000_000_000
            ends = [None if e.expires_at is None else e.expires_at - start for e in found]
            return [
                [e.key, e.value, e.created_at - start, end]
                for e, end in zip(found, ends, strict=True)
            ]
        if f == "lookup_many":
            return [_sought(each) for each in found]
        if f == "compare_and_apply":
            told = {"status": found.status}
            return (
                told if found.current is None else told | {"current": _sought(found.current.value)}
            )
        return _sought(found) if f in {"lookup", "consume", "observe"} else found


def _sought(found: Any) -> dict[str, Any]:
    return {"absent": True} if found is ABSENT else {"value": found}


def blocks(language: str) -> str:
    """Answer the code of the guide in a language."""
    guide = (SPECS / "vectors.md").read_text("utf-8")
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", guide, re.DOTALL | re.MULTILINE))


class TestGuide:
    def test_twenty_lines_of_python_are_enough(self) -> None:
        """The guide's code plays every vector that is for the memory store, and all pass."""
        given: dict[str, Any] = {"CAP": 1_000}
        exec(compile(blocks("python"), "vectors.md", "exec"), given)
        offered = newer_memory.connect("guide", clock=Moved()).capabilities
        found = []
        for each in EVERY:
            if each.missing(offered) is None and each.file in {
                "CLAIM",
                "CAS",
                "CAP",
                "TTL",
                "DUR",
                "ERR",
            }:
                caller, made = Caller(each.name), {"name": each.name, "steps": list(each.steps)}
                found.append(given["play"](made, each.start_ms, Moved(), caller.connect, caller))
        assert found == [None] * len(found)
        assert len(found) > 50

    def test_the_python_sees_a_difference(self) -> None:
        """Where a step is answered otherwise, the guide's code says which."""
        given: dict[str, Any] = {"CAP": 1_000}
        exec(compile(blocks("python"), "vectors.md", "exec"), given)
        caller, made = Caller("wrong"), vector(step("clear", True))
        told = {"name": "made", "steps": list(made.steps)}
        found = given["play"](told, made.start_ms, Moved(), caller.connect, caller)
        assert found.startswith("made, step 2: ")
        assert found.endswith("seen None")

    @pytest.mark.skipif(not shutil.which("node"), reason="node is not on PATH; install Node.js")
    def test_the_javascript_reads_what_the_python_reads(self, tmp_path: Path) -> None:
        """The guide's other code writes out what is written in short as the kit does."""
        script = tmp_path / "long.mjs"
        reads = f"""
            import {{ readFileSync }} from "node:fs";
            import {{ isDeepStrictEqual }} from "node:util";
            {blocks("js")}
            const given = JSON.parse(readFileSync({str(tmp_path / "given.json")!r}, "utf8"));
            const told = (v) => typeof v === "number" && !Number.isFinite(v) ? `number ${{v}}`
              : v instanceof Uint8Array ? `bytes ${{Buffer.from(v).toString("hex")}}`
              : Array.isArray(v) ? (v[0] === v ? "cycle" : v.map(told))
              : v === null || typeof v !== "object" ? v
              : v.constructor !== Object ? "other"
              : Object.fromEntries(Object.entries(v).map(([name, m]) => [name, told(m)]));
            process.stdout.write(JSON.stringify(given.map((v) => told(long(v, 1000)))));
        """
        script.write_text(reads, "utf-8")
        noted = [m for v in EVERY for s in v.steps for m in s.values() if "$" in json.dumps(m)]
        (tmp_path / "given.json").write_text(json.dumps(noted))
        done = subprocess.run(["node", str(script)], capture_output=True, check=True)
        assert json.loads(done.stdout) == [told(expand(each, 1_000)) for each in noted]
        assert len(noted) > 30


class TestWhoIsGivenWhat:
    @pytest.mark.parametrize(
        ("needs", "rules", "offered", "why"),
        [
            (("registerIfAbsent", "ttl"), {}, Capabilities(), None),
            (("sweepExpired",), {}, Capabilities().without("sweep_expired"), "sweep_expired is"),
            (("lookup|entries",), {}, Capabilities().without("lookup"), None),
            (("virtual-clock",), {}, Capabilities(), "virtual-clock is not declared"),
            ((), {"strictAges": False}, Capabilities(strict_ages=True), "strictAges is True"),
            ((), {"rows": 300}, Capabilities(plugin_row_cap=200), "may hold 200 rows"),
            ((), {"rows": 300}, Capabilities(plugin_row_cap=None), None),
            ((), {"maxKeyBytes": 9}, Capabilities(), "maxKeyBytes is 512, and not 9"),
            ((), {"capPolicy": "reject"}, Capabilities(), None),
            ((), {}, Capabilities(ttl_unit_ms=1_000), "no multiples of 1000 ms"),
        ],
    )
    def test_a_vector_is_for_those_of_whom_it_is_true(
        self, needs: tuple[str, ...], rules: dict[str, Any], offered: Capabilities, why: str | None
    ) -> None:
        """A store is given what it declares all of, and told why else."""
        made = vector(step("clear", None) | {"at": 500}, needs=needs, rules=rules)
        found = made.missing(offered)
        assert found is why or (why is not None and found is not None and why in found)

    def test_what_matters_is_asked_of_the_model(self) -> None:
        """A listing of rows of one age is not for strict ages, a full namespace needs eviction."""
        tied, full = called("ties_are_broken_by_key"), called("oldest_row_is_evicted")
        assert tied.rules == {"strictAges": False}
        assert {"eviction", "virtual-clock"} <= set(tied.needs)
        assert full.rules == {}
        assert "virtual-clock" not in full.needs

    def test_a_clause_or_a_family_is_chosen(self) -> None:
        """Vectors are chosen by what they are about, as checks are."""
        assert {c for v in vectors(["cap-2"]) for c in v.clauses} == {"CAP-2"}
        apart = {"INPUT.surrogates", "INPUT.values", "ERR.values"}
        assert {v.file for v in vectors(["INPUT", "ERR"])} == {"INPUT", "ERR", *apart}
        with pytest.raises(ValueError, match="CLAIM-99"):
            vectors(["CLAIM-99"])


class TestRun:
    def test_a_target_that_dies_is_told_and_the_rest_goes_on(self) -> None:
        """A vector in which the target ends is an error with the step; the others are played."""
        chosen = [called("fresh_key_is_won"), called("deleted_key_is_won_again")]
        target = Target("python:bad_targets:exits")
        result = run(target, [chosen[1], chosen[0]])
        died, went_on = result.judged
        assert (died.status, went_on.status) == (Status.ERROR, Status.PASS)
        assert died.reason.startswith('step 3, s1.delete(key="k"): the process ended with exit')
        assert result.exit_code is ExitCode.VIOLATION

    def test_a_target_that_hangs_is_ended(self) -> None:
        """A call that does not come back is told as what it is."""
        result = run(
            Target("python:bad_targets:hangs"),
            [called("deleted_key_is_won_again")],
            call_max_s=0.5,
        )
        assert "said nothing for too long" in result.judged[0].reason

    @pytest.mark.parametrize(
        ("statuses", "code"),
        [
            ((), ExitCode.NOTHING_RAN),
            ((Status.NA,), ExitCode.NOTHING_RAN),
            ((Status.NA, Status.PASS), ExitCode.CONFORMS),
            ((Status.PASS, Status.FAIL), ExitCode.VIOLATION),
            ((Status.PASS, Status.ERROR), ExitCode.VIOLATION),
        ],
    )
    def test_the_exit_code_is_the_gates(self, statuses: tuple[Status, ...], code: ExitCode) -> None:
        """All pass is 0, a difference or an end is 1, nothing played is 5."""
        judged = tuple(Judged(vector=vector(), status=status) for status in statuses)
        assert VectorsResult(target="t", judged=judged, seconds=0.0).exit_code is code

    def test_the_report_tells_each_file_and_the_first_difference(self) -> None:
        """Counts by file, why vectors were left out, and what was seen in place of what."""
        found = Difference(step=3, call="s1.f()", at_ms=7, allowed=("true",), seen="\x1b[31m")
        judged = (
            Judged(vector=vector(), status=Status.PASS),
            Judged(vector=vector(), status=Status.FAIL, difference=found),
            Judged(vector=vector(file="CAP"), status=Status.NA, reason="row-cap is not declared"),
        )
        text = render(VectorsResult(target="t", judged=judged, seconds=1.0))
        assert text.splitlines() == [
            "CLAIM    1 pass,   1 fail",
            "CAP      1 n/a",
            "n/a: 1 vector, for row-cap is not declared",
            "",
            "CLAIM: made (CLAIM-1): Made for a test.",
            "  step 3, at 7 ms: s1.f()",
            "  expected true",
            "  seen     \\x1b[31m",
            "onewinner: t does NOT answer as the vectors have it (1 n/a, 1 pass, 1 fail; 1.0 s)",
        ]


class TestCommand:
    def test_a_store_that_passes(self, capsys: Any, tmp_path: Path) -> None:
        """The command answers 0, and writes the files where it was asked to."""
        assert cli.main(["vectors", "sqlite", "-k", "CLAIM-4", "--write", str(tmp_path)]) == 0
        assert "sqlite answers as the vectors have it" in capsys.readouterr().out
        assert {p.name: p.read_text("utf-8") for p in tmp_path.iterdir()} == files.texts()

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (("mutant:claim-always-true", "-k", "CLAIM-2"), ExitCode.VIOLATION, "expected false"),
            (("python:nowhere:connect",), ExitCode.USAGE, "importing nowhere raised"),
            (("memory", "-k", "DUR-1"), ExitCode.NOTHING_RAN, "was given no vector"),
        ],
    )
    def test_any_other_outcome(
        self, words: tuple[str, ...], code: ExitCode, said: str, capsys: Any
    ) -> None:
        """A difference is 1, a target that cannot be had 4, nothing played 5."""
        assert cli.main(["vectors", *words]) == code
        captured = capsys.readouterr()
        assert said in captured.out + captured.err
