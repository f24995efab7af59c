"""No version with a published flaw in loading is allowed; `make oldest` tests the oldest of those that are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# Versions with published flaws in loading, with the flaw that the last of them has.
FLAWED = {
    "keras": {
        "3.8.0": "CVE-2025-1550: a configuration imports any module",
        "3.10.0": "CVE-2025-8747: a configuration calls keras.utils.get_file",
        "3.11.0": "CVE-2025-49655: TorchModuleWrapper unpickles",
        "3.11.2": "CVE-2025-9905: .h5 files run lambdas in safe mode",
        "3.11.3": "CVE-2025-12058: StringLookup reads local files and addresses",
        "3.12.0": "CVE-2026-1669: HDF5 reads other files; CVE-2026-1462: TFSMLayer loads any SavedModel",
        "3.12.3": "pickles, mended in 3.12.4",
        "3.13.1": "CVE-2026-1669, CVE-2026-1462",
        "3.14.1": "pickles, mended in 3.15.1",
        "3.15.0": "pickles, mended in 3.15.1",
    },
    "torch": {
        "2.5.1": "CVE-2025-32434: weights_only=True runs code",
        "2.9.1": "CVE-2026-24747: weights_only=True writes past its memory",
    },
}


def requirements() -> dict[str, Requirement]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("dependencies = [")[2].partition("]")[0]
    found = [Requirement(line) for line in re.findall(r'"([^"]+)"', text)]
    return {requirement.name.lower(): requirement for requirement in found}


@pytest.mark.parametrize(("package", "version"), [(name, version) for name in FLAWED for version in FLAWED[name]])
def test_versions_with_flaws_in_loading_are_not_allowed(package: str, version: str) -> None:
    assert not requirements()[package].specifier.contains(version), FLAWED[package][version]


def test_the_oldest_set_is_the_lower_bounds() -> None:
    lines = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    for name, requirement in requirements().items():
        lowest = next(part.version for part in requirement.specifier if part.operator == ">=")
        assert Version(pins[name]) == Version(lowest), name
        assert requirement.specifier.contains(pins[name])
