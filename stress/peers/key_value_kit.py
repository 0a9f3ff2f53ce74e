"""Where py-key-value's store tests can be had: wheel, sdist, a package, or a checkout."""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from environment import Environment

RELEASE: Final = "0.5.0"
PACKAGE: Final = "py-key-value-aio"
OF_ITS_OWN: Final = "py-key-value-shared-test"  # a package of its repository that is not released
KIT: Final = "class BaseStoreTests"
NEEDS: Final = ("pytest==9.2.0", "pytest-asyncio==1.5.0", "dirty-equals==0.11", "pydantic>=2")


def packages(checkout: Path | None) -> tuple[str, ...]:
    """Answer what to install: the release that the checkout is of, else the newest known one."""
    release = RELEASE
    if checkout is not None:
        project = (checkout / "pyproject.toml").read_text("utf-8")
        found = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
        release = found[1] if found else RELEASE
    return (f"{PACKAGE}[memory]=={release}", *NEEDS)


def missing(environment: Environment, checkout: Path | None) -> str:
    """Say why there are no tests to run, empty where there are; only a checkout has had them."""
    if checkout is not None:
        file = checkout / "tests" / "stores" / "base.py"
        return "" if KIT in file.read_text("utf-8") else f"no {KIT} in the checkout"
    places = {"wheel": _in_wheel, "sdist": _in_sdist, OF_ITS_OWN: _of_its_own}
    found = [name for name, has in places.items() if has(environment)]
    if found:
        return f"tests are in its {', '.join(found)} now: write an adapter"
    return "not published"


def _in_wheel(environment: Environment) -> bool:
    modules = environment.home.glob("lib/python*/site-packages/key_value/**/*.py")
    return any(KIT in module.read_text("utf-8") for module in modules)


def _in_sdist(environment: Environment) -> bool:
    words = ("download", "-q", "--no-deps", "--no-binary", PACKAGE, f"{PACKAGE}=={RELEASE}")
    into = environment.home / "sdist"
    done = environment.pip(*words, "-d", str(into))
    if done.returncode:
        raise RuntimeError(f"pip has no sdist of {PACKAGE} {RELEASE}: {done.stderr[-300:]}")
    with tarfile.open(next(into.glob("*.tar.gz"))) as archive:
        return any("/tests/" in name for name in archive.getnames())


def _of_its_own(environment: Environment) -> bool:
    return environment.install(OF_ITS_OWN)
