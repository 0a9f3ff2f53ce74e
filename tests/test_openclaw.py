"""OpenClaw: its releases are had from the registry, and judged as they are."""

from __future__ import annotations

import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from onewinner import cli
from onewinner.adapters.openclaw import engines, install, npm, release
from onewinner.adapters.targets import Target, TargetError
from onewinner.schedule.ptrace import ptrace_refusal
from onewinner.suite import engine
from onewinner.suite.races import run_race
from onewinner.suite.registry import race_called
from onewinner.suite.tree import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onewinner.suite.tree import CheckResult, RunResult

pytestmark = pytest.mark.timeout(600)  # the first to want a release downloads it

STORE = """
import { value } from "./other-Ab1.js";
import json5 from "json5/lib/index.js";
import fs from "node:fs";
import path from "path";
const MAX_ENTRIES_PER_PLUGIN = 1e3;
function assertValueSize(json) {
	if (textEncoder.encode(json).byteLength > 65536) throw new Error("import x from './no.js'");
}
function createPluginStateKeyedStore(pluginId, options) {}
export { closePluginStateSqliteStore as n, createPluginStateKeyedStore as t };
"""
PACKAGE = {
    "name": "openclaw",
    "type": "module",
    "engines": {"node": ">=22.14.0"},
    "dependencies": {"json5": "^2.2.3", "unneeded": "^1.0.0"},
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing is."""
    monkeypatch.setenv("ONEWINNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def npm_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Puts an npm on PATH that says what is given, whatever it is asked."""

    def put(said: str, code: int = 0) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir(exist_ok=True)
        (tmp_path / "said").write_text(said, "utf-8")
        program.write_text(f"#!/bin/sh\ncat '{tmp_path}/said'\nexit {code}\n", "utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return put


def unpacked(directory: Path) -> Path:
    """Lay out a small release as it is unpacked."""
    dist = directory / "dist"
    dist.mkdir(parents=True)
    (directory / "package.json").write_text(json.dumps(PACKAGE), "utf-8")
    (dist / "plugin-state-store-Xy9.js").write_text(STORE, "utf-8")
    (dist / "other-Ab1.js").write_text('export { value } from "./deep/third.js";\n', "utf-8")
    (dist / "deep").mkdir()
    (dist / "deep" / "third.js").write_text('import "../other-Ab1.js";\n', "utf-8")
    (dist / "unrelated.js").write_text('import "left-pad";\n', "utf-8")
    return directory


class TestReleases:
    def test_only_what_the_store_imports_is_taken(self, tmp_path: Path) -> None:
        """Files and packages are followed from the store on, and exports by what they are for."""
        assert release.read(unpacked(tmp_path)) == release.Release(
            entry="dist/plugin-state-store-Xy9.js",
            exports={"create": "t", "close": "n"},
            limits={"pluginRowCap": 1000},
            files=(
                "package.json",
                "dist/deep/third.js",
                "dist/other-Ab1.js",
                "dist/plugin-state-store-Xy9.js",
            ),
            packages=("json5@^2.2.3",),
            node=">=22.14.0",
        )

    def test_a_release_without_the_store_says_so(self, tmp_path: Path) -> None:
        """What is looked for is named."""
        (unpacked(tmp_path) / "dist" / "plugin-state-store-Xy9.js").unlink()
        with pytest.raises(release.NoStoreError, match="createPluginStateKeyedStore"):
            release.read(tmp_path)

    def test_nothing_is_unpacked_outside(self, tmp_path: Path) -> None:
        """A name in a tarball that leads out of its directory is passed over."""
        source = unpacked(tmp_path / "source")
        tarball = tmp_path / "package.tgz"
        with tarfile.open(tarball, "w:gz") as archive:
            archive.add(source / "package.json", "package/package.json")
            archive.add(source / "dist" / "unrelated.js", "package/dist/unrelated.js")
            archive.add(source / "dist" / "unrelated.js", "package/dist/../../escaped.js")
        release.unpack(tarball, tmp_path / "into")
        found = {str(p.relative_to(tmp_path / "into")) for p in (tmp_path / "into").rglob("*.js*")}
        assert found == {"package.json", "dist/unrelated.js"}
        assert not (tmp_path / "escaped.js").exists()


class TestEngines:
    @pytest.mark.parametrize(
        ("version", "wanted", "holds"),
        [
            ("v22.14.0", ">=22.14.0", True),
            ("v20.19.2", ">=22.14.0", False),
            ("24.16.0", ">=24.16.0 <25 || >=26.1.0", True),
            ("25.9.0", ">=24.16.0 <25 || >=26.1.0", False),
            ("26.0.9", ">=24.16.0 <25 || >=26.1.0", False),
            ("26.1.0", ">=24.16.0 <25 || >=26.1.0", True),
            ("22.20.0", "^22.19", True),
            ("23.0.0", "^22.19", False),
            ("22.0.0", ">= 22", True),
            ("22.0.0", "~22.0", False),  # a form that is not known holds nothing
        ],
    )
    def test_ranges_are_read(self, version: str, wanted: str, *, holds: bool) -> None:
        """A Node.js is used only where the release says that it runs on it."""
        assert engines.satisfies(version, wanted) is holds


class TestErrors:
    @pytest.mark.parametrize("version", ["latest", "^2026.5.0", "2026.5", "", "../x"])
    def test_what_is_no_version_is_told(self, version: str, cache: Path) -> None:
        """A tag, a range or half a version is refused before the registry is asked."""
        with pytest.raises(TargetError, match=r"no version of openclaw; .* openclaw@2026\.5\.7"):
            install.command(f"openclaw@{version}")
        assert not cache.exists()

    def test_a_version_that_does_not_exist(
        self,
        cache: Path,
        npm_says: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What exists is listed: the stable releases that have the store."""
        published = ["2026.4.27", "2026.4.29", "2026.5.7", "2026.5.10", "2026.5.9-beta.1"]
        monkeypatch.setattr(npm, "all_versions", lambda _: published)
        npm_says('{"error": {"code": "E404", "summary": "No match found for version 9.9.9"}}', 1)
        with pytest.raises(TargetError) as raised:
            install.command("openclaw@9.9.9")
        assert str(raised.value) == (
            "target openclaw@9.9.9: openclaw 9.9.9 does not exist; the releases with the store "
            "are 2026.4.29, 2026.5.7, 2026.5.10"
        )
        assert list(cache.glob("openclaw/*")) == []

    def test_offline_is_told(
        self,
        cache: Path,
        npm_says: Callable[..., None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Without a network the sentence says what was tried and how to go on, with exit code 4."""
        npm_says('{"error": {"code": "ENOTFOUND", "summary": "getaddrinfo ENOTFOUND"}}', 1)
        assert cli.main(["verify", "openclaw@2026.5.7"]) == 4
        told = capsys.readouterr().err
        assert "npm view openclaw@2026.5.7 failed with ENOTFOUND: getaddrinfo ENOTFOUND" in told
        assert f"once it is in {cache}, no network is needed" in told

    def test_without_npm_it_is_told_how_to_have_it(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The program that downloads is named, with a way to install it."""
        monkeypatch.setenv("PATH", str(cache))
        with pytest.raises(TargetError, match=r"npm, .* was not found on PATH; install Node\.js"):
            install.command("openclaw@2026.5.7")

    def test_another_checksum_than_the_registrys_is_refused(
        self, tmp_path: Path, npm_says: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A tarball that is not the one of the registry is not used, and not left."""
        npm_says('"sha512-AAAA"')
        into = tmp_path / "into"
        into.mkdir()

        def packed(*words: str) -> str:
            if words[0] == "pack":
                (into / "it.tgz").write_bytes(b"something else")
            return '"sha512-AAAA"'

        monkeypatch.setattr(npm, "_run", packed)
        with pytest.raises(npm.RegistryError, match="the registry says sha512-AAAA"):
            npm.tarball("openclaw", "2026.5.7", into)
        assert list(into.iterdir()) == []

    def test_a_cache_that_cannot_be_written_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The variable that names another place is named."""
        (tmp_path / "file").touch()
        monkeypatch.setenv("ONEWINNER_CACHE", str(tmp_path / "file" / "cache"))
        with pytest.raises(TargetError, match="set ONEWINNER_CACHE to a directory"):
            install.command("openclaw@2026.5.7")


@pytest.fixture
def released() -> Callable[[str], Target]:
    """Answers a release as a target, or skips where it cannot be had."""

    def found(version: str) -> Target:
        target = Target(f"openclaw@{version}")
        try:
            install.command(target.name)
        except TargetError as error:
            pytest.skip(f"{error}; its tests need the npm registry, or a cache that has it")
        return target

    return found


def cases(target: Target, *clauses: str) -> RunResult:
    """Judge some clauses by their cases."""
    return engine.verify(target, engine.Options(level="process", depth="cases", select=clauses))


def failed(result: RunResult) -> dict[str, str]:
    """Answer the checks that found a violation, each with its clause."""
    return {
        check.check: check.clause
        for clause in result.clauses
        for check in clause.checks
        if check.status >= Status.FAIL
    }


@pytest.mark.xdist_group("openclaw")
class TestStore:
    def test_its_defects_are_found_by_general_checks(
        self, released: Callable[[str], Target]
    ) -> None:
        """Keys fold, a huge TTL poisons its namespace, and a set clock loses new claims."""
        found = cases(released("2026.5.7"), "INPUT-10", "TTL-7", "EVICT", "CLAIM", "ISO-1")
        assert failed(found) == {
            "huge_ttl_is_refused_or_works": "TTL-7",
            "rows_written_while_the_clock_is_behind_stay": "EVICT-12",
            "rows_renewed_while_the_clock_is_behind_stay": "EVICT-12",
            "rows_written_by_another_handle_while_the_clock_is_behind_stay": "EVICT-12",
            "unkeepable_text_is_refused_or_distinct": "INPUT-10",
            "keys_with_nul_are_refused_or_distinct": "INPUT-10",
        }

    def test_a_fresh_row_was_lost_before_the_claim_came(
        self, released: Callable[[str], Target]
    ) -> None:
        """In 2026.5.3 `register` evicts what it has just written; what it lacks is n/a."""
        found = cases(released("2026.5.3"), "EVICT-2", "CLAIM-1")
        assert set(failed(found).values()) == {"EVICT-2"}
        (claim,) = [each for each in found.clauses if each.clause.id == "CLAIM-1"]
        assert (claim.status, claim.reason) == (
            Status.NA,
            "operation register_if_absent is not declared",
        )

    def test_first_opens_that_race_are_found(
        self, released: Callable[[str], Target], tmp_path: Path
    ) -> None:
        """Processes that make the database at one time are told that it is locked."""
        (found,) = [each for each in raced(released("2026.5.7"), tmp_path) if each.violation]
        assert (found.clause, found.status) == ("DUR-2", Status.FAIL)
        assert "database is locked" in found.reason

    def test_the_claim_itself_is_atomic(self, released: Callable[[str], Target]) -> None:
        """No schedule over processes makes a second winner."""
        if (refusal := ptrace_refusal()) is not None:
            pytest.skip(refusal)
        options = engine.Options(
            level="process", depth="control", select=("CLAIM-6",), budget_s=15.0
        )
        found = engine.verify(released("2026.5.7"), options)
        (claim,) = [each for each in found.clauses if each.clause.id == "CLAIM-6"]
        assert claim.status is Status.PASS


def raced(target: Target, home: Path) -> list[CheckResult]:
    """Race first opens."""
    capabilities = engine.probe(target, str(home))
    race = race_called("first-opens")
    return run_race(race, target, capabilities, run_dir=home, budget_s=3.0, seed=1)
