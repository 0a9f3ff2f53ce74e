"""The CI doors run: the action's steps, the GitLab job and the shell script, as a service would.

What a service does between the steps is done here: inputs become variables, conditions are looked
at, outputs are read, and what is uploaded is noted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from documents import ROOT, programs, shell
from onewinner.starter.files import start
from onewinner.suite.tree import ExitCode

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
INSTALL: dict[str, Any] = ACTION["runs"]["steps"][0]
QUICK = "--quiet -k READ-6"  # a clause that cases judge, in no time
BROKEN = "mutant:parsed-values-shared"

TEXT = {"type": "string", "minLength": 1}
STEP = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("name", "id", "if", "shell", "run", "uses", "working-directory"), TEXT),
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "with": {"type": "object"},
    },
    "additionalProperties": False,
    "oneOf": [{"required": ["run", "shell"]}, {"required": ["uses"]}],
}
SCHEMA = {  # the metadata of an action, as GitHub documents it
    "type": "object",
    "properties": {
        **dict.fromkeys(("name", "description", "author"), TEXT),
        "branding": {
            "properties": {
                "icon": TEXT,
                "color": {
                    "enum": ["white", "black", "yellow", "blue", "green", "orange", "red", "purple",
                             "gray-dark"],
                },
            },
            "additionalProperties": False,
        },
        "inputs": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "description": TEXT,
                    "required": {"type": "boolean"},
                    "default": {"type": "string"},
                    "deprecationMessage": TEXT,
                },
                "required": ["description"],
                "additionalProperties": False,
            },
        },
        "outputs": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"description": TEXT, "value": TEXT},
                "required": ["description", "value"],
                "additionalProperties": False,
            },
        },
        "runs": {
            "type": "object",
            "properties": {
                "using": {"const": "composite"},
                "steps": {"type": "array", "minItems": 1, "items": STEP},
            },
            "required": ["using", "steps"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "description", "runs"],
    "additionalProperties": False,
}  # fmt: skip


class Job:
    """A job of a service that runs the composite action in a directory, once.

    What the action installs is there already; `installs` lets pip see to that. `service` are
    variables that the service sets.
    """

    def __init__(
        self,
        directory: Path,
        *,
        installs: bool = False,
        service: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> None:
        self.installs = installs
        self.service = service or {}
        self.directory = directory / "work"
        self.directory.mkdir()
        self.uploaded: list[dict[str, str]] = []
        self.failed = False
        self.said = ""
        self._bin = directory / "bin"
        programs(self._bin)
        defaults = {name: each.get("default", "") for name, each in ACTION["inputs"].items()}
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= defaults.keys()
        self._values = {f"inputs.{n}": value for n, value in (defaults | given).items()}
        self._values["github.action_path"] = str(ROOT)

    def run(self) -> Job:
        """Run the steps in their order."""
        for step in ACTION["runs"]["steps"]:
            if not self._wanted(step.get("if")) or (step is INSTALL and not self.installs):
                continue
            if "uses" in step:
                self.uploaded.append({k: self._filled(v) for k, v in step["with"].items()})
            elif self._script(step).returncode != 0:
                self.failed = True
        return self

    def output(self, name: str) -> str:
        """Answer an output of the action."""
        return self._filled(ACTION["outputs"][name]["value"])

    def _script(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        outputs = self.directory.parent / "outputs"
        outputs.write_text("", encoding="utf-8")
        env = {n: self._filled(value) for n, value in step.get("env", {}).items()} | self.service
        where = self.directory / self._filled(step.get("working-directory", "."))
        done = shell(step["run"], where, self._bin, **env, GITHUB_OUTPUT=str(outputs))
        for line in outputs.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            self._values[f"steps.{step['id']}.outputs.{name}"] = value
        self.said += done.stdout + done.stderr
        return done

    def _wanted(self, condition: str | None) -> bool:
        if condition is None:
            return not self.failed
        parts = condition.removeprefix("${{ ").removesuffix(" }}").split(" && ")
        assert parts[0] == "!cancelled()"  # without one, a step is left out once another failed
        return all(self._differs(part) for part in parts[1:])

    def _differs(self, part: str) -> bool:
        name, value = re.fullmatch(r"(\S+) != '(.*)'", part).groups()
        return self._values.get(name, "") != value

    def _filled(self, text: Any) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda m: self._values.get(m[1], ""), str(text))


def release() -> str:
    """Answer the release that is installed here."""
    import onewinner

    return onewinner.__version__


def job(directory: Path, target: str, **inputs: str) -> Job:
    """Answer a job that has judged a target."""
    return Job(directory, target=target, **{"budget": "2s", "args": QUICK, **inputs}).run()


class TestAction:
    def test_it_is_an_action(self) -> None:
        """The file is a composite action by the keys that GitHub documents."""
        jsonschema.validate(ACTION, SCHEMA)

    @pytest.mark.parametrize("key", ["description", "runs"])
    def test_what_is_no_action_is_refused(self, key: str) -> None:
        """The schema above can fail."""
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in ACTION.items() if k != key}, SCHEMA)

    def test_inputs_come_by_the_environment_alone(self) -> None:
        """No script holds an expression, which the service would put in as text to be run."""
        scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
        assert len(scripts) == 3
        assert [script for script in scripts if "${{" in script] == []

    def test_every_input_is_used_and_no_other(self) -> None:
        """An input without a use would be a promise, and a use without an input is empty."""
        used = set(re.findall(r"inputs\.([a-z-]+)", str(ACTION["runs"])))
        assert used == set(ACTION["inputs"])

    def test_a_store_that_conforms_is_green(self, tmp_path: Path) -> None:
        """The outputs tell the verdict, the reports are written, and nothing is uploaded."""
        done = job(tmp_path, "memory", level="thread")
        assert (done.failed, done.uploaded) == (False, []), done.said
        assert (done.output("exit-code"), done.output("verdict")) == ("0", "conforms")
        reports = {path.name for path in (done.directory / "onewinner-report").iterdir()}
        assert {"onewinner.json", "onewinner.xml", "onewinner.html"} <= reports

    def test_a_violation_is_red_and_kept(self, tmp_path: Path) -> None:
        """What was seen is uploaded, hidden directory included, and then the job fails."""
        done = job(tmp_path, BROKEN)
        assert done.failed
        assert (done.output("exit-code"), done.output("verdict")) == ("1", "violated")
        (upload,) = done.uploaded
        assert upload["path"].split() == ["./.onewinner", "./onewinner-report"]
        assert (upload["name"], upload["include-hidden-files"]) == ("onewinner", "True")

    def test_a_violation_is_told_where_the_service_shows_it(self, tmp_path: Path) -> None:
        """In a workflow a violation is an annotation, and the clauses stand in the summary."""
        summary = tmp_path / "summary.md"
        service = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
        made = Job(tmp_path, service=service, target=BROKEN, args=QUICK).run()
        assert "::error " in made.said
        assert "READ-6" in summary.read_text(encoding="utf-8")

    def test_no_artifact_is_uploaded_where_none_is_wanted(self, tmp_path: Path) -> None:
        """With an empty name the job is as red, and uploads nothing."""
        done = job(tmp_path, BROKEN, artifact="")
        assert (done.failed, done.uploaded) == (True, [])

    @pytest.mark.parametrize(
        ("inputs", "code", "verdict"),
        [
            ({"args": "-k NONSENSE"}, "4", "usage"),
            ({"level": "galaxy"}, "4", "usage"),
            ({"args": "-k CAP -k DUR-1 --level thread"}, "5", "nothing-ran"),
        ],
    )
    def test_what_proves_nothing_is_red(
        self, tmp_path: Path, inputs: dict[str, str], code: str, verdict: str
    ) -> None:
        """A wrong request, and one by which nothing ran, never end green."""
        done = Job(tmp_path, target="python:bare:connect", budget="1s", **inputs)
        (done.directory / "bare.py").write_text(BARE, encoding="utf-8")
        assert done.run().failed
        assert (done.output("exit-code"), done.output("verdict")) == (code, verdict), done.said

    def test_what_is_given_is_never_run(self, tmp_path: Path) -> None:
        """A target, a level or an option with a command in it is a word like any other."""
        evil = "memory'; touch pwned; $(touch pwned) `touch pwned`"
        done = job(tmp_path, evil, level="$(touch pwned)", args='-k "$(touch pwned)" `touch pwned`')
        assert (done.failed, done.output("exit-code")) == (True, "4")
        assert list(tmp_path.rglob("pwned")) == []

    def test_what_breaks_before_a_verdict_is_red(self, tmp_path: Path) -> None:
        """Where there is no exit code at all the job fails, and keeps what is there."""
        broken = Job(tmp_path, installs=True, target="memory", version="0").run()
        assert broken.failed
        assert len(broken.uploaded) == 1

    def test_the_action_installs_what_it_came_with(self, tmp_path: Path) -> None:
        """Without a version pip gets the action's own directory, with the extras asked for."""
        installed = pip_asked(tmp_path, version="", extras="redis,nats")
        assert installed == f"-m pip install --quiet {ROOT}[redis,nats]"

    def test_the_action_installs_the_release_that_is_named(self, tmp_path: Path) -> None:
        """With a version pip gets that release from the index."""
        assert pip_asked(tmp_path, version="1.2") == "-m pip install --quiet onewinner==1.2"


BARE = '''
"""A store that keeps nothing but claims, and declares nothing else."""
from onewinner import Capabilities


class Backend:
    capabilities = Capabilities(
        scope="thread", durable=False, operations=frozenset({"register_if_absent"}),
        ttl_unit_ms=None, eviction=None, plugin_row_cap=None, validates_input=False)

    def __init__(self):
        self.held = {}

    def open(self, plugin_id, namespace, *, max_entries, default_ttl_ms=None):
        return Namespace(self.held, (plugin_id, namespace))

    def close(self):
        pass


class Namespace:
    def __init__(self, held, place):
        self.held, self.place = held, place

    def register_if_absent(self, key, value, *, ttl_ms=None):
        mine = object()
        return self.held.setdefault((self.place, key), mine) is mine


def connect(location, *, clock):
    return Backend()
'''


def pip_asked(directory: Path, **inputs: str) -> str:
    """Answer what the first step asks of Python."""
    made = Job(directory, target="memory", **inputs)
    python = made._bin / "python"
    python.write_text('#!/usr/bin/env bash\necho "$@"\n', encoding="utf-8")
    return made._script(INSTALL | {"id": "install"}).stdout.strip()


class TestWorkflow:
    @pytest.mark.parametrize("language", ["python", "stdio"])
    def test_it_uses_the_action_as_it_is(self, language: Any) -> None:
        """The workflow is YAML, gives only inputs that exist, and all that are required."""
        text = start(language, "github").files[".github/workflows/onewinner.yml"]
        workflow = yaml.safe_load(text)
        assert workflow["permissions"] == {"contents": "read"}
        (step,) = [s for s in workflow["jobs"]["conformance"]["steps"] if "onewinner" in s["uses"]]
        required = {name for name, each in ACTION["inputs"].items() if each.get("required")}
        commented = set(re.findall(r"# ([a-z-]+): \S", text.partition("  target: ")[2]))
        assert required <= step["with"].keys() <= ACTION["inputs"].keys()
        assert commented <= ACTION["inputs"].keys() | {"run"}
        assert step["with"]["target"] == start(language, "github").target

    def test_what_it_gives_is_green(self, tmp_path: Path) -> None:
        """The inputs of the workflow, given to the action beside the adapter, judge the adapter."""
        text = start("python", "github").files[".github/workflows/onewinner.yml"]
        given = yaml.safe_load(text)["jobs"]["conformance"]["steps"][-1]["with"]
        given |= {"budget": "2s", "args": QUICK, "version": release()}
        made = Job(tmp_path, installs=True, **given)
        start("python", "none").write(made.directory)
        assert not made.run().failed, made.said
        assert made.output("verdict") == "conforms"


class TestGitLab:
    def test_the_job_runs(self, tmp_path: Path) -> None:
        """The lines of the script, with the job's variables, judge the adapter beside it."""
        begun = start("python", "gitlab")
        job = yaml.safe_load(begun.files[".gitlab/onewinner.yml"])["onewinner"]
        assert job.keys() == {"image", "timeout", "variables", "script", "artifacts"}
        assert job["artifacts"]["reports"] == {"junit": "onewinner.xml"}
        begun.write(tmp_path)
        programs(tmp_path / "bin")
        script = "\n".join(job["script"]) + f" {QUICK}"
        variables = job["variables"] | {"BUDGET": "2s"}
        done = shell(script, tmp_path, tmp_path / "bin", **variables)
        assert done.returncode == ExitCode.CONFORMS, done.stdout + done.stderr
        assert (tmp_path / "onewinner.xml").read_text("utf-8").startswith("<?xml")

    def test_a_violation_is_red(self, tmp_path: Path) -> None:
        """The script ends with the verdict."""
        text = start("python", "gitlab").files[".gitlab/onewinner.yml"]
        job = yaml.safe_load(text)["onewinner"]
        programs(tmp_path / "bin")
        variables = job["variables"] | {"BUDGET": "2s", "TARGET": BROKEN}
        script = "\n".join(job["script"]) + f" {QUICK}"
        assert shell(script, tmp_path, tmp_path / "bin", **variables).returncode == 1


class TestShell:
    @pytest.mark.parametrize(("target", "code"), [("memory", 0), (BROKEN, 1), ("nothing", 4)])
    def test_the_script_ends_with_the_verdict(self, tmp_path: Path, target: str, code: int) -> None:
        """The script judges what it is told to, takes more options, and answers the exit code."""
        start("python", "shell").write(tmp_path)
        programs(tmp_path / "bin")
        variables = {"TARGET": target, "BUDGET": "2s", "LEVEL": "thread"}
        script = f"sh onewinner-ci.sh {QUICK}"
        done = shell(script, tmp_path, tmp_path / "bin", **variables)
        assert done.returncode == code, done.stdout + done.stderr

    def test_it_judges_the_adapter_by_itself(self, tmp_path: Path) -> None:
        """Without a word it judges the adapter that came with it."""
        start("stdio", "shell").write(tmp_path)
        programs(tmp_path / "bin")
        done = shell(f"./onewinner-ci.sh {QUICK}", tmp_path, tmp_path / "bin", BUDGET="2s")
        assert done.returncode == 0, done.stdout + done.stderr
