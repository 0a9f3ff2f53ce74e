"""The stdio protocol: what an adapter may do, what it must not, and how the kit tells it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kits import gone, until
from onewinner import cli
from onewinner.adapters.stdio import link, messages, wire
from onewinner.adapters.stdio.fault import AdapterFault
from onewinner.adapters.stdio.process import Process
from onewinner.adapters.stdio.schema import schema
from onewinner.adapters.targets import Target, TargetError
from onewinner.clock import ManualClock, SystemClock, monotonic_ns
from onewinner.contract import ABSENT, InvalidInput, LimitExceeded, StoreError
from onewinner.contract.values import canonical
from onewinner.generator import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
UNRULY = ROOT / "tests" / "unruly_adapter.py"
PYTHON = ROOT / "adapters" / "python" / "adapter.py"


def command(how: str, *more: object) -> str:
    """Answer the target that misbehaves in one way."""
    return "exec:" + shlex.join([sys.executable, str(UNRULY), how, *map(str, more)])


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Connects to a target, and closes what was connected."""
    backends: list[Any] = []

    def connect(target: str, location: str = "", clock: Any = None) -> Any:
        where = location or str(tmp_path)
        backend: Any = Target(target).connect(where, clock or SystemClock())
        backends.append(backend)
        return backend

    yield connect
    for backend in backends:
        backend.link.close()


def opened(backend: Any) -> Any:
    """Open a namespace."""
    return backend.open("p", "n", max_entries=100)


class TestFaults:
    @pytest.mark.parametrize(
        ("how", "told"),
        [
            ("garbage", "there came 'hello, I am a store'"),
            ("too-new", "versions 1 to 1 of the protocol and chose 2"),
            ("no-scope", "missing required field `scope`"),
        ],
    )
    def test_a_handshake_that_is_none_is_told(
        self, connected: Callable[..., Any], how: str, told: str
    ) -> None:
        """Who does not greet as an adapter must is no target: what was expected, what came."""
        with pytest.raises(TargetError) as caught:
            connected(command(how))
        assert told in str(caught.value)

    @pytest.mark.parametrize(
        ("how", "told"),
        [
            ("prints", "there came 'debug: here I am'"),
            ("wrong-id", "one of the ids 4 was expected"),
            ("torn", "ended in the middle of a line"),
            ("closes", "closed its standard output, and goes on"),
            ("wrong-result", "Expected `bool`, got `str`"),
            ("neither", "must have either a result or an error, and has neither"),
        ],
    )
    def test_an_answer_that_is_none_is_told(
        self, connected: Callable[..., Any], how: str, told: str
    ) -> None:
        """What the protocol forbids is the adapter's fault, told as expected and as it came."""
        store = opened(connected(command(how)))
        with pytest.raises(AdapterFault) as caught:
            store.register_if_absent("k", 1)
        assert told in str(caught.value)
        with pytest.raises(AdapterFault):
            store.register_if_absent("k", 1)

    def test_a_second_answer_is_told(self, connected: Callable[..., Any]) -> None:
        """An id that has been answered is not answered again."""
        store = opened(connected(command("answers-twice")))
        store.register_if_absent("k", 1)
        with pytest.raises(AdapterFault, match="with id 4 a second time"):
            store.register_if_absent("k", 1)

    def test_a_row_without_a_value_is_told(self, connected: Callable[..., Any]) -> None:
        """A value may be null, and must be there."""
        store = opened(connected(command("no-value")))
        with pytest.raises(AdapterFault, match="there is no `value`"):
            store.lookup("k")

    def test_a_line_without_end_is_told(
        self, connected: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Output that never ends a line does not fill the kit's memory."""
        monkeypatch.setattr(link, "_LINE_MAX", 1 << 20)
        store = opened(connected(command("no-newline")))
        with pytest.raises(AdapterFault, match="without an end of line"):
            store.register_if_absent("k", 1)

    def test_times_that_cannot_be_are_told(self, connected: Callable[..., Any]) -> None:
        """An operation of a batch ran after it was sent and before its answer came."""
        backend = connected(command("misfires"))
        calls = [(opened(backend), Call("register_if_absent", "p", "n", "k", 1))]
        with pytest.raises(AdapterFault, match="read CLOCK_MONOTONIC"):
            backend.batch(monotonic_ns(), calls)

    def test_who_does_not_read_is_told(
        self, connected: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A command that leaves requests in its pipe keeps no protocol, and is killed."""
        backend = connected(command("deaf"))
        store = opened(backend)
        monkeypatch.setattr(backend.link, "_call_s", 0.5)
        with pytest.raises(AdapterFault, match="did not read `registerIfAbsent`"):
            store.register_if_absent("k", 1)
        assert gone([backend.link.process.pid]) == []


class TestDeaths:
    def test_a_call_that_hangs_is_in_doubt(
        self, connected: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who took a request and does not answer may have carried it out."""
        backend = connected(command("silent"))
        store = opened(backend)
        monkeypatch.setattr(backend.link, "_call_s", 0.5)
        with pytest.raises(StoreError, match="did not answer `registerIfAbsent`") as caught:
            store.register_if_absent("k", 1)
        assert (caught.value.code, caught.value.definite) == (link.GONE, False)
        assert gone([backend.link.process.pid]) == []

    def test_a_call_whose_command_died_is_in_doubt(self, connected: Callable[..., Any]) -> None:
        """An open call ends with its command, unknown; what comes after is refused for certain."""
        store = opened(connected(command("dies")))
        with pytest.raises(StoreError, match="ended with exit code 1") as caught:
            store.register_if_absent("k", 1)
        assert not caught.value.definite
        assert "out of cheese" in str(caught.value)
        with pytest.raises(StoreError) as later:
            store.register_if_absent("k", 1)
        assert (later.value.code, later.value.definite) == ("OPEN_FAILED", True)

    def test_a_fork_is_refused_the_handle(self, connected: Callable[..., Any]) -> None:
        """The command belongs to the process that started it."""
        store = opened(connected(command("good")))
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                store.register_if_absent("k", 1)
            except StoreError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert "made before a fork" in os.read(reading, 1_000).decode()
        assert store.register_if_absent("k", 1) is True
        os.close(reading)
        os.close(writing)


class TestErrors:
    @pytest.mark.parametrize(
        ("how", "kind", "code", "definite"),
        [
            ("limit", LimitExceeded, "LIMIT_EXCEEDED", True),
            ("own-code", StoreError, "MELTED", False),
            ("no-code", StoreError, "ERROR_-32603", False),
        ],
    )
    def test_an_unknown_error_is_indefinite(
        self,
        connected: Callable[..., Any],
        how: str,
        kind: type[StoreError],
        code: str,
        definite: bool,
    ) -> None:
        """Only a code of the registry says that a call had no effect."""
        store = opened(connected(command(how)))
        with pytest.raises(kind) as caught:
            store.register_if_absent("k", 1)
        assert (caught.value.code, caught.value.definite) == (code, definite)

    @pytest.mark.parametrize("value", [object(), float("nan"), {1: 2}, {"a": {1}}])
    def test_what_json_cannot_say_is_not_sent(
        self, connected: Callable[..., Any], value: Any
    ) -> None:
        """What cannot be written on the wire is refused by the kit, and changes nothing."""
        store = opened(connected(command("good")))
        with pytest.raises(InvalidInput, match="cannot be written as JSON"):
            store.register_if_absent("k", value)
        assert store.lookup("k") is ABSENT


class TestTolerance:
    def test_unknown_fields_are_ignored(self, connected: Callable[..., Any]) -> None:
        """A newer adapter says more, and is understood all the same."""
        backend = connected(command("newer"))
        assert backend.capabilities.operations == {"register_if_absent", "lookup"}
        assert opened(backend).register_if_absent("k", 1) is True

    def test_noise_on_standard_error_is_harmless(self, connected: Callable[..., Any]) -> None:
        """A command that floods standard error is served, and its last lines are kept."""
        backend = connected(command("floods"))
        store = opened(backend)
        assert [store.register_if_absent(f"k{n}", n) for n in range(5)] == [True] * 5
        assert set(backend.link.process.tail()) == {"noise"}

    def test_answers_may_come_in_any_order(self, connected: Callable[..., Any]) -> None:
        """Where several calls are in flight, each gets its own answer."""
        store = opened(connected(command("reversed")))
        won: dict[str, bool] = {}

        def claim(key: str) -> None:
            won[key] = store.register_if_absent(key, key)

        store.lookup("k")
        for pair in (("a", "b"), ("a", "c"), ("d", "b")):
            threads = [threading.Thread(target=claim, args=(key,)) for key in pair]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        assert won == {"a": False, "b": False, "c": True, "d": True}

    @pytest.mark.parametrize("value", ["x" * 300_000, "\ud800", "é\n\0", 2**70, [[[]]], None])
    def test_values_come_back_as_they_went(self, connected: Callable[..., Any], value: Any) -> None:
        """Large values, odd text and large numbers pass both pipes unchanged."""
        store = opened(connected(command("good")))
        store.register_if_absent("k", value)
        assert store.lookup("k") == value


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, with text that is no Unicode among it."""
    text = st.text(st.characters(exclude_categories=()))
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    scalars = st.none() | st.booleans() | numbers | text
    return st.recursive(scalars, lambda each: st.lists(each) | st.dictionaries(text, each))


class TestReading:
    @given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps(text).encode()))
    def test_whatever_comes_is_an_answer_or_told(self, line: bytes) -> None:
        """No line raises anything but a ValueError that says what is wrong with it."""
        with contextlib.suppress(ValueError):
            assert wire.read(line).id >= 1

    @given(json_values())
    def test_what_json_says_is_read_as_it_was_written(self, value: Any) -> None:
        """Any value, surrogates included, is read back from an answer."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"found": True, "value": value}})
        response = wire.read(line.encode())
        found = wire.decoded(wire.RESULT["lookup"], bytes(response.result))
        assert canonical(found.value) == canonical(value)


class TestCopies:
    def test_one_process_has_one_copy(self, connected: Callable[..., Any]) -> None:
        """Connections of one process to one location see what one process of users would see."""
        one, other = connected(command("thread")), connected(command("thread"))
        assert one.link is other.link
        assert opened(one).register_if_absent("k", 1) is True
        assert opened(other).register_if_absent("k", 1) is False

    def test_a_location_is_opened_again_by_a_new_copy(self, connected: Callable[..., Any]) -> None:
        """What was kept in the memory of a command is not taken for what is durable."""
        one = connected(command("good"))
        opened(one).register_if_absent("k", 1)
        one.close()
        assert opened(connected(command("good"))).lookup("k") is ABSENT

    def test_a_copy_serves_many_locations_where_it_says_so(
        self, connected: Callable[..., Any]
    ) -> None:
        """A new process is started for a location only where it must be."""
        many = [connected(command("good"), place) for place in ("a", "b")]
        one = [connected(command("one"), place) for place in ("a", "b")]
        assert many[0].link is many[1].link
        assert one[0].link is not one[1].link

    def test_time_goes_with_each_request(
        self, connected: Callable[..., Any], tmp_path: Path
    ) -> None:
        """A store that takes its time from the requests expires rows by the kit's clock."""
        clock = ManualClock(1_000)
        store = opened(connected(f"exec:{sys.executable} {PYTHON}", clock=clock))
        store.register("k", None, ttl_ms=5)
        (row,) = store.entries()
        assert (row.created_at, row.expires_at) == (1_000, 1_005)
        clock.advance(4)
        assert store.lookup("k") is None
        clock.advance(1)
        assert store.lookup("k") is ABSENT

    def test_a_batch_begins_at_its_instant(self, connected: Callable[..., Any]) -> None:
        """Operations of a batch run in order, not before their instant, and say when they ran."""
        backend = connected(f"exec:{sys.executable} {PYTHON}", clock=ManualClock(1))
        store = opened(backend)
        names = ("register_if_absent", "lookup", "register_if_absent", "delete", "entries")
        calls = [(store, Call(f, "p", "n", None if f == "entries" else "k", 1)) for f in names]
        at = monotonic_ns() + 20_000_000
        fired = backend.batch(at, calls)
        assert [each.came_to() for each in fired] == [True, 1, False, True, []]
        stamps = [at, *(stamp for each in fired for stamp in (each.started_ns, each.ended_ns))]
        assert stamps == sorted(stamps)


def examples() -> list[dict[str, Any]]:
    """Answer the messages that the specification shows, in its order."""
    text = (ROOT / "specs" / "protocol.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    return [json.loads(line) for block in blocks for line in block.splitlines()]


class TestSpecification:
    def test_the_schema_is_current(self) -> None:
        """The published schema is the one that answers are read by."""
        path = ROOT / "specs" / "protocol.schema.json"
        assert json.loads(path.read_text(encoding="utf-8")) == schema()
        jsonschema.Draft202012Validator.check_schema(schema())

    def test_every_example_is_a_message(self) -> None:
        """What the specification shows is allowed by the schema, results by their methods too."""
        found = schema()
        methods = {}
        assert len(examples()) > 8
        for message in examples():
            jsonschema.validate(message, found)
            if "method" in message:
                methods[message["id"]] = message["method"]
            elif "result" in message:
                part = {"$ref": f"#/$defs/result-{methods[message['id']]}", "$defs": found["$defs"]}
                jsonschema.validate(message["result"], part)

    def test_every_method_and_capability_is_described(self) -> None:
        """Each method, capability and error code of the protocol stands in the specification."""
        from onewinner.contract.errors import CODES

        text = (ROOT / "specs" / "protocol.md").read_text(encoding="utf-8")
        offered = [field.encode_name for field in msgspec.structs.fields(messages.Offer)]
        for word in (*messages.RESULTS, *offered, *CODES):
            assert f"`{word}`" in text, word
        for code in CODES.values():
            assert f"| `{code.name}` | {'yes' if code.definite else 'no'} |" in text

    @pytest.mark.parametrize("how", ["good", "limit"])
    def test_what_is_said_is_what_the_schema_allows(
        self, how: str, connected: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both directions of a conversation, as it went over the wire, are as the schema says."""
        said: list[Any] = []
        line_of, exchange = wire.line_of, Process.exchange

        def heard(process: Process, line: bytes, timeout_s: float) -> bytes | None:
            said.append(exchange(process, line, timeout_s))
            return said[-1]

        monkeypatch.setattr(wire, "line_of", lambda *a: said.append(line_of(*a)) or said[-1])
        monkeypatch.setattr(Process, "exchange", heard)
        backend = connected(command(how), f"{how}-place")
        store = opened(backend)
        try:
            store.register_if_absent("k", {"a": 1}, ttl_ms=5)
            backend.batch(0, [(store, Call("lookup", "p", "n", "k"))])
        except LimitExceeded:
            assert how == "limit"
        assert len(said) >= 8
        for message in said:
            jsonschema.validate(json.loads(message), schema())


class TestCommandLine:
    @pytest.mark.parametrize(
        ("target", "told"),
        [
            ("exec:no-such-command --at-all", "'no-such-command' is not on PATH"),
            ("exec:./no/such/file", "'./no/such/file' is no file that can be run"),
            ("exec:", "write exec:COMMAND"),
            ("exec:'unfinished", "quote the command"),
            ("exec:sh -c 'echo sorry >&2; exit 3'", "ended with exit code 3 before it answered"),
            (command("garbage"), "there came 'hello, I am a store'"),
            (command("answers-twice"), "a second time"),
            (command("wrong-id"), "one of the ids 4 was expected"),
        ],
    )
    def test_what_is_no_adapter_is_refused(
        self, target: str, told: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A command that keeps no protocol is exit 4 with a sentence, and no verdict."""
        assert cli.main(["smoke", target]) == 4
        assert told in capsys.readouterr().err

    def test_a_fault_in_the_middle_of_a_run_ends_it(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Text that comes late is the adapter's fault too, and no violation of the store."""
        assert cli.main(["verify", command("prints-late"), "--quiet", "-k", "CLAIM-1"]) == 4
        assert "there came 'debug: late'" in capsys.readouterr().err

    def test_a_command_that_dies_in_a_call_is_a_broken_store(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A store whose process ends in a call does not conform; what it wrote last is shown."""
        target = command("dies")
        assert cli.main(["verify", target, "--quiet", "-k", "CLAIM-1", "-x"]) == 1
        assert "out of cheese" in capsys.readouterr().out

    def test_a_command_that_stops_reading_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A command that reads no more is killed after a while, and told."""
        note = tmp_path / "pid"
        assert cli.main(["smoke", command("deaf", note)]) == 4
        assert "did not read `registerIfAbsent`" in capsys.readouterr().err
        assert gone([int(note.read_text("ascii"))]) == []

    def test_no_child_of_a_command_is_left(self, tmp_path: Path) -> None:
        """What a command started and left behind is killed with the run."""
        note = tmp_path / "pid"
        assert cli.main(["smoke", command("leaves-a-child", note)]) == 0
        assert until(note.exists)
        assert gone([int(note.read_text("ascii"))]) == []

    def test_a_kit_that_is_killed_leaves_no_command(self, tmp_path: Path) -> None:
        """What a command started goes with the kit, also when that is killed without warning."""
        notes = [tmp_path / "child", tmp_path / "command"]
        for note, how in zip(notes, ("leaves-a-child", "good"), strict=True):
            words = ["onewinner", "verify", command(how, note), "--quiet", "-k", "CLAIM"]
            with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL) as kit:
                pid = until(lambda note=note: note.exists() and note.read_text("ascii"))
                kit.kill()
            assert gone([int(pid)]) == []

    def test_smoke_says_that_messages_were_held_against_the_schema(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The adapter of the project is judged by every kind of message that it offers."""
        assert cli.main(["smoke", f"exec:{sys.executable} {PYTHON}"]) == 0
        said = capsys.readouterr().out
        assert "connected: log store 1 in python, protocol 1" in said
        assert "protocol.schema.json allows (14 more calls)" in said
