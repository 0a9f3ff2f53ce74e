"""A conversation with one copy of a command: calls go out, answers come back, and faults are named.

Whoever waits for an answer takes what comes, for others too; no thread does that for them, since to
hand an answer from thread to thread costs more than the call.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from onewinner.adapters.stdio import messages, wire
from onewinner.adapters.stdio.fault import AdapterFault, fault, last_words, note_fault, shown
from onewinner.adapters.stdio.messages import Failure, Response, Welcome
from onewinner.adapters.stdio.process import Process
from onewinner.clock import monotonic_ns
from onewinner.contract import InvalidInput, LimitExceeded, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from onewinner.adapters.stdio.words import Request

START_S: Final = 25.0
"""How long a command may take to answer `hello`: it has to start as well."""

CALL_S: Final = 12.0
"""How long any other request may take; what is asked of a store takes microseconds."""

WATCHED_S: Final = 3_600.0
"""The same where somebody else watches the calls, or holds them on purpose."""

GONE: Final = "ADAPTER_GONE"
"""The code of a call whose command ended, or hung, before it answered: it may have happened."""

_LINE_MAX: Final = 64 << 20
_TURN_S: Final = 0.25
_ERRORS: Final = {"INVALID_INPUT": InvalidInput, "LIMIT_EXCEEDED": LimitExceeded}


class _Slot:
    """A request that has been sent, and its answer, when it is there."""

    __slots__ = ("answer", "arrived", "method", "operation")

    def __init__(self, method: str, operation: str, arrived: threading.Event | None) -> None:
        self.method = method
        self.operation = operation
        self.arrived = arrived
        self.answer: Any = UNSET


class Link:
    """One copy of the command, and the requests that are open there.

    `target` is its name in what is told, `faults` where word of a fault is left. `welcome` is what
    it answered to `hello`.

    Raises FileNotFoundError where there is no such command, AdapterFault where it is no adapter.
    """

    def __init__(
        self,
        words: tuple[str, ...],
        target: str,
        faults: str | None = None,
        *,
        call_s: float = CALL_S,
    ) -> None:
        self._call_s = call_s
        self._target = target
        self._faults = faults
        self._owner = os.getpid()
        self._sending = threading.Lock()
        self._reading = threading.Lock()
        self._room: threading.Semaphore | threading.Lock = threading.Lock()
        self._alone = True
        self._open: dict[int, _Slot] = {}
        self._last = 0
        self._broken: AdapterFault | None = None
        self._gone = ""
        self.process = Process(words)
        try:
            self.welcome = self._greet()
        except BaseException:
            self.process.close()
            raise
        if self.welcome.capabilities.max_in_flight > 1:
            self._alone = False
            self._room = threading.Semaphore(self.welcome.capabilities.max_in_flight)

    def _greet(self) -> Welcome:
        spoken = messages.Range(min=messages.PROTOCOL_MIN, max=messages.PROTOCOL_MAX)
        params = messages.HelloParams(protocol=spoken, kit="onewinner")
        try:
            welcome: Welcome = self.call(messages.Hello, params, "hello", within_s=START_S)
        except StoreError as error:
            why = self._gone or f"answered with an error: {error.message}"
            raise self._fault(f"it was asked `hello` and {why}") from error
        if not spoken.min <= welcome.protocol <= spoken.max:
            raise self._fault(
                f"it was offered the versions {spoken.min} to {spoken.max} of the protocol and "
                f"chose {welcome.protocol}; choose one that was offered, or say in an error that "
                f"there is none"
            )
        return welcome

    @property
    def usable(self) -> bool:
        """Whether it may answer another request."""
        return not self._gone and self._broken is None and not self.process.dead()

    @property
    def of_this_process(self) -> bool:
        """Whether this process made it: after a fork it belongs to the parent."""
        return self._owner == os.getpid()

    def call(
        self,
        kind: Callable[..., Request],
        params: msgspec.Struct,
        operation: str,
        *,
        within_s: float | None = None,
    ) -> Any:
        """Make a request and answer its result.

        Raises what the error that came says: InvalidInput, LimitExceeded, StoreError; StoreError
        with the code `GONE` where no answer comes; AdapterFault where the protocol is not kept.
        """
        patience_s = within_s or self._call_s
        with self._room:
            if self._alone:
                return self._exchange(kind, params, operation, patience_s)
            return self._wait(self._send(kind, params, operation), operation, patience_s)

    def _exchange(
        self, kind: Callable[..., Request], params: msgspec.Struct, operation: str, within_s: float
    ) -> Any:
        """Make the only request that is open; what is not as it should be goes the long way."""
        self._check(operation)
        number = self._last = self._last + 1
        request = kind(jsonrpc="2.0", id=number, params=params)
        method = wire.method_of(request)
        since_ns = monotonic_ns()
        answer = self.process.exchange(wire.line_of(request, operation), within_s)
        if answer is not None:
            with contextlib.suppress(ValueError):
                response = wire.ANSWERS[method].decode(answer)
                if response.id == number and response.error is UNSET is not response.result:
                    return response.result
        slot = self._open[number] = _Slot(method, operation, None)
        if answer is not None:
            self._hear(answer)
        return self._wait(slot, operation, within_s - (monotonic_ns() - since_ns) / 1e9)

    def _send(self, kind: Callable[..., Request], params: msgspec.Struct, operation: str) -> _Slot:
        with self._sending:
            self._check(operation)
            self._last += 1
            request = kind(jsonrpc="2.0", id=self._last, params=params)
            line = wire.line_of(request, operation)
            slot = _Slot(
                wire.method_of(request), operation, None if self._alone else threading.Event()
            )
            self._open[self._last] = slot
            self.process.send(line)
        return slot

    def _check(self, operation: str) -> None:
        """Refuse a call that cannot be sent; it certainly has no effect."""
        if not self.of_this_process:
            message = "this handle was made before a fork, and its command is the parent's"
            raise StoreError(code="OPEN_FAILED", operation=operation, message=message)
        if self._broken is not None:
            raise self._broken
        if self._gone:
            raise self._lost("OPEN_FAILED", operation)

    def _wait(self, slot: _Slot, operation: str, within_s: float) -> Any:
        until_ns = monotonic_ns() + int(within_s * 1e9)
        while slot.answer is UNSET:
            if self._reading.acquire(blocking=False):
                try:
                    while slot.answer is UNSET:
                        self._take(slot, until_ns)
                finally:
                    self._reading.release()
                    self._let_another_read()
            elif slot.arrived is not None:
                slot.arrived.wait(_TURN_S)
                slot.arrived.clear()
        if isinstance(slot.answer, BaseException):
            raise slot.answer
        return self._result(slot, operation)

    def _let_another_read(self) -> None:
        for other in list(self._open.values()):
            if other.arrived is not None and other.answer is UNSET:
                other.arrived.set()
                return

    def _take(self, slot: _Slot, until_ns: int) -> None:
        """Take what comes; end the conversation where nothing does, or what must not come."""
        left_s = (until_ns - monotonic_ns()) / 1e9
        if left_s <= 0:
            self._hung(slot)
            return
        for line in self.process.receive(min(left_s, _TURN_S)):
            self._hear(line)
        if len(self.process.rest) > _LINE_MAX:
            self._end(self._fault(f"it wrote more than {_LINE_MAX} bytes without an end of line"))
        elif self.process.finished and self._open:
            self._finished()

    def _hear(self, line: bytes) -> None:
        """Give an answer to whoever waits for it."""
        try:
            response = wire.read(line)
        except ValueError as error:
            self._end(
                self._fault(
                    f"an answer was expected on standard output, an object of JSON-RPC 2.0 on a "
                    f"line ({error}), and there came {shown(line)}; write what is no protocol on "
                    f"standard error"
                )
            )
            return
        slot = self._open.pop(response.id, None)
        if slot is None:
            self._end(self._fault(self._unasked(response.id, line)))
            return
        slot.answer = response
        if slot.arrived is not None:
            slot.arrived.set()

    def _unasked(self, number: int, line: bytes) -> str:
        if 0 < number <= self._last:
            return f"it answered the request with id {number} a second time: {shown(line)}"
        waiting = ", ".join(map(str, self._open)) or "none"
        return f"an answer to one of the ids {waiting} was expected, and there came {shown(line)}"

    def _result(self, slot: _Slot, operation: str) -> Any:
        response: Response = slot.answer
        if (response.result is UNSET) == (response.error is UNSET):
            raise self.fault(
                f"an answer to `{slot.method}` must have either a result or an error, and has "
                f"{'neither' if response.error is UNSET else 'both'}"
            )
        if isinstance(response.error, Failure):
            raise store_error(response.error, operation)
        decoder = wire.RESULT.get(slot.method)
        if decoder is None:
            return None
        assert isinstance(response.result, msgspec.Raw)
        try:
            return wire.decoded(decoder, bytes(response.result))
        except ValueError as error:
            raise self._misfit(slot.method, error, bytes(response.result)) from error

    def result(self, method: str, plain: Any) -> Any:
        """Answer the result of an operation of a batch; raises AdapterFault where it is none."""
        decoder = wire.RESULT.get(method)
        if decoder is None:
            return None
        try:
            return msgspec.convert(plain, decoder.type)
        except ValueError as error:
            raise self._misfit(method, error, json.dumps(plain).encode()) from error

    def _misfit(self, method: str, error: ValueError, came: bytes) -> AdapterFault:
        return self.fault(
            f"the result of `{method}` is not what it must be: {error}; there came {shown(came)}"
        )

    def _hung(self, slot: _Slot) -> None:
        """End a command that does not answer; one that does not even read keeps no protocol."""
        unread = self.process.unread
        self.process.kill()
        waited = START_S if slot.method == "hello" else self._call_s
        if unread:
            self._end(
                self._fault(
                    f"it did not read `{slot.method}` from standard input for {waited:.0f} s, and "
                    f"was killed; read requests up to the end of standard input"
                )
            )
        else:
            self._end_gone(f"did not answer `{slot.method}` within {waited:.0f} s, and was killed")

    def _finished(self) -> None:
        """End a command that answers no more: it ended, or closed its standard output."""
        if not self.process.wait(_TURN_S):
            self._end(self._fault("it closed its standard output, and goes on"))
            self.process.kill()
        elif self.process.rest:
            self._end(self._fault(f"it ended in the middle of a line: {shown(self.process.rest)}"))
        else:
            self._end_gone(f"{self.process.ended} before it answered")

    def _end_gone(self, how: str) -> None:
        self._gone = how
        self._end(None)

    def _end(self, error: AdapterFault | None) -> None:
        """Answer all open calls: nobody knows what became of them."""
        open_calls, self._open = self._open, {}
        for slot in open_calls.values():
            slot.answer = error or self._lost(GONE, slot.operation)
            if slot.arrived is not None:
                slot.arrived.set()

    def _lost(self, code: str, operation: str) -> StoreError:
        """Answer the error of a call whose command is gone; it shows what that wrote last."""
        told = f"the command {self._gone}{last_words(self.process.tail())}"
        return StoreError(code=code, operation=operation, message=told)

    def _fault(self, happened: str) -> AdapterFault:
        """Answer a fault, of which word is left; after it nothing is sent any more."""
        found = fault(self._target, happened, self.process.tail())
        self._broken = self._broken or found
        note_fault(self._faults, found)
        return found

    def fault(self, happened: str) -> AdapterFault:
        """Answer a fault to raise; all calls that are open end with it."""
        found = self._fault(happened)
        self._end(found)
        return found

    def close(self) -> None:
        """Kill the command, if it is still there."""
        if self.of_this_process:
            self.process.close()
        else:
            self.process.forget()

    def retire(self) -> None:
        """Ask the command to end, and do not wait for it."""
        if self.usable:
            request = messages.Bye(jsonrpc="2.0", id=self._last + 1, params=messages.Nothing())
            self.process.send(wire.line_of(request, "close"))
        self.process.say_no_more()


def store_error(failure: Failure, operation: str) -> StoreError:
    """Answer an error as the contract's; one without a code of the registry is indefinite."""
    if failure.data is UNSET:
        code, named = f"ERROR_{failure.code}", operation
    else:
        code, named = failure.data.code, failure.data.operation or operation
    code = code.removeprefix("PLUGIN_STATE_")
    if code in _ERRORS:
        return _ERRORS[code](operation=named, message=failure.message)
    return StoreError(code=code, operation=named, message=failure.message)
