"""What this environment has of the libraries that pyproject.toml names. `.ci/run floors` and `newest` print it.

`python -m tests.harness.installed_versions floors` fails where something newer than the lowest version promised is installed:
that version is then not what the tests below it run on, because another requirement asks for more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import distribution, version

from packaging.requirements import Requirement
from packaging.version import Version

NAME = "nbagent-jupyter"


def promised() -> Iterator[Requirement]:
    """Give each library that the tests' extra, and those that it takes in, names for this platform and Python."""
    requirements = [Requirement(line) for line in distribution(NAME).requires or ()]
    extras = {"", "test"}
    while True:
        here = [one for one in requirements if _is_meant(one, extras)]
        more = {extra for one in here if one.name == NAME for extra in one.extras} - extras
        if not more:
            yield from (one for one in here if one.name != NAME)
            return
        extras |= more


def _is_meant(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def floor_of(requirement: Requirement) -> Version | None:
    """Return the lowest version that a requirement allows, None where it names none."""
    named = [Version(part.version) for part in requirement.specifier if part.operator == ">="]
    return max(named, default=None)


def main(leg: str) -> str | None:
    """Print the versions; return what is wrong with them."""
    above = []
    shown = []
    for requirement in promised():
        found = version(requirement.name)
        shown.append(f"{requirement.name} {found}")
        floor = floor_of(requirement)
        if floor is not None and floor != Version(found):
            above.append(f"{requirement.name}: {floor} promised, {found} installed")
    print(", ".join(sorted(set(shown), key=str.lower)))
    # later Pythons have no wheels of the oldest releases
    if leg == "floors" and sys.version_info[:2] == (3, 11) and above:
        return (
            "the lowest versions that pyproject.toml promises are not what can be installed:\n"
            + "\n".join(above)
        )
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
