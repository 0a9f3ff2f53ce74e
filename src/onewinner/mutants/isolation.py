"""What goes wrong between namespaces, plugins and keys."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

from onewinner.mutants.registry import changed, mutant
from onewinner.stores.sqlite import SPACE, SqliteStore

if TYPE_CHECKING:
    from onewinner.stores.input import Opening
    from onewinner.stores.sqlite import SqliteBackend


@mutant("ISO-1", "ISO-2", "ISO-3", "ISO-4")
class JoinedKeyCollision(SqliteStore):
    """Plugin `a.b` with namespace `c` and plugin `a` with namespace `b.c` are one address."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        joined = f"{opening.plugin}.{opening.namespace}"
        self._fixed |= dict(zip(("plugin", "namespace"), joined.split(".", 1), strict=True))


@mutant("ISO-2", "DEL-5", seen="caches that clear by a pattern, such as cachelib's RedisCache")
class ClearUsesLike(SqliteStore):
    """Clearing `ns1` clears `ns10` too, and an underscore in a name stands for any character."""

    CLEAR: ClassVar[str] = changed(
        SqliteStore.CLEAR, "namespace = :namespace", "namespace LIKE :namespace || '%'"
    )


@mutant("ISO-2")
class ClearReachesOtherPlugin(SqliteStore):
    """One plugin resets its cache and wipes the claims of another that chose the same name."""

    CLEAR: ClassVar[str] = changed(SqliteStore.CLEAR, "plugin = :plugin AND ", "")


@mutant("ISO-2", "CAP-1")
class ClearTakesWholePlugin(SqliteStore):
    """Clearing one namespace empties all of the plugin's."""

    CLEAR: ClassVar[str] = changed(SqliteStore.CLEAR, SPACE, "plugin = :plugin")


@mutant("ISO-1", "ISO-4", "CLAIM-1", "REG-1")
class PluginsShareNamespaces(SqliteStore):
    """The plugin is not part of the address, so the second plugin loses every claim."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._fixed |= {"plugin": "shared"}


@mutant("ISO-1", "READ-4")
class CaseFoldedKeys(SqliteStore):
    """`Order-1` and `order-1` are one key: the second order is taken for a duplicate."""

    def _key(self, key: str, operation: str) -> str:
        return super()._key(key, operation).lower()


@mutant("ISO-1", "READ-4", "INPUT-4")
class NormalisedKeys(SqliteStore):
    """Keys that look alike are one, though their bytes differ: file names and nicknames collide."""

    def _key(self, key: str, operation: str) -> str:
        return unicodedata.normalize("NFC", super()._key(key, operation))


@mutant(
    *("INPUT-10", "ISO-1"),
    seen="openclaw 2026.5.7 to 2026.9.6: every lone surrogate becomes U+FFFD",
)
class LoneSurrogatesCollide(SqliteStore):
    """Text that is not Unicode is repaired on its way to disk, and broken keys become one."""

    def _key(self, key: str, operation: str) -> str:
        if isinstance(key, str):
            key = key.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return super()._key(key, operation)


@mutant("INPUT-10", "ISO-1", seen="openclaw#138306: node:sqlite of Node 22 ends text at a NUL")
class KeyEndsAtNul(SqliteStore):
    """Composite keys joined by a NUL lose everything but their first part."""

    def _key(self, key: str, operation: str) -> str:
        if isinstance(key, str):
            key = key.partition("\0")[0] or key
        return super()._key(key, operation)


@mutant("INPUT-10")
class PluginEndsAtNul(SqliteStore):
    """Tenants that are told apart behind a NUL share one plugin, and lose each other's claims."""

    def __init__(self, backend: SqliteBackend, opening: Opening) -> None:
        super().__init__(backend, opening)
        self._fixed |= {"plugin": opening.plugin.partition("\0")[0]}


@mutant("ISO-1", "READ-1", "CLAIM-1")
class LookupUsesLike(SqliteStore):
    """An underscore in a key stands for any character: a reader is shown what another wrote."""

    LOOKUP: ClassVar[str] = changed(SqliteStore.LOOKUP, "key = :key", "key LIKE :key")


@mutant("ISO-1", "DEL-1", "DEL-2")
class DeleteUsesLike(SqliteStore):
    """A key with a percent sign or an underscore takes its neighbours with it when it goes."""

    DELETE: ClassVar[str] = changed(SqliteStore.DELETE, "key = :key", "key LIKE :key")


@mutant("ISO-2")
class ClearIgnoresCase(SqliteStore):
    """Clearing `Jobs` clears `jobs` too: the name is compared by another rule than elsewhere."""

    CLEAR: ClassVar[str] = changed(
        SqliteStore.CLEAR, "namespace = :namespace", "namespace = :namespace COLLATE NOCASE"
    )
