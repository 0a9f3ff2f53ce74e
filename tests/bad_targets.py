"""Targets that are wrong in ways that no store should be: they hang, die, or are no stores."""

from __future__ import annotations

import os
import signal
import sys
import threading

from onewinner.stores import memory


class Wrapped:
    """A memory store one of whose operations does something else."""

    def __init__(self, backend, act):
        self._backend, self._act = backend, act
        self.capabilities = backend.capabilities

    def open(self, plugin_id, namespace, **options):
        store = self._backend.open(plugin_id, namespace, **options)
        return store if namespace == "probe" else Acting(store, self._act)

    def sweep_expired(self):
        return self._backend.sweep_expired()

    def close(self):
        self._backend.close()


class Acting:
    """Passes every operation on, but acts first when a key is deleted."""

    def __init__(self, store, act):
        self._store, self._act = store, act

    def delete(self, key):
        self._act()
        return self._store.delete(key)

    def __getattr__(self, name):
        return getattr(self._store, name)


def _target(act):
    def connect(location, *, clock):
        return Wrapped(memory.connect(location, clock=clock), act)

    return connect


hangs = _target(lambda: threading.Event().wait(3_600))
exits = _target(lambda: os._exit(9))
killed = _target(lambda: os.kill(os.getpid(), signal.SIGKILL))
leaves = _target(lambda: sys.exit(5))
prints = _target(lambda: print("noise on standard output"))  # noqa: T201 - that is the point


def raises(location, *, clock):
    """Raise on connecting."""
    raise RuntimeError("no database here")


def answers_none(location, *, clock):
    """Answer nothing on connecting."""


class NoClaim:
    """A backend whose store lacks the claim that it declares."""

    def __init__(self, backend):
        self._backend = backend
        self.capabilities = backend.capabilities

    def open(self, *args, **options):
        store = self._backend.open(*args, **options)

        class Lacking:
            lookup, register, consume = store.lookup, store.register, store.consume
            delete, entries, clear = store.delete, store.entries, store.clear

        return Lacking()

    def sweep_expired(self):
        return self._backend.sweep_expired()

    def close(self):
        self._backend.close()


def no_claim(location, *, clock):
    """Declare a claim and have none."""
    return NoClaim(memory.connect(location, clock=clock))


def hangs_on_connect(location, *, clock):
    """Never come back from connecting."""
    threading.Event().wait(3_600)


def wrong_signature(location):
    """Take no clock."""
