"""The record of a verification: what was verified, with which packages and tensors, and the result."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from autoport.base.version import VERSION
from autoport.facts.framework import Both
from autoport.graph.store import Store

if TYPE_CHECKING:
    from autoport.analysis import Analysis
    from autoport.verify.verification import Verification

PACKAGES = ("tensorflow", "keras", "tf_keras", "torch", "numpy")


def certificate(analysis: Analysis, reconciled: Sequence[str], verification: Verification) -> dict[str, Any]:
    """See `Match.certificate`."""
    stores = Both.of(analysis.open_store)
    return {
        "autoport": VERSION,
        "versions": {"python": platform.python_version(), **_versions()},
        "models": {"tf": analysis.names.tf, "torch": analysis.names.torch},
        "weights": {
            "tf": fingerprint(stores.tf, analysis.graphs.tf.read_tensors()),
            "torch": fingerprint(stores.torch, analysis.graphs.torch.read_tensors()),
        },
        "complete": analysis.complete,
        "reconciled": list(reconciled),
        "verification": verification.to_dict(),
    }


def fingerprint(store: Store, paths: Iterable[str]) -> str:
    """The sha256 of every tensor that a forward pass reads: path, type, shape and bytes, sorted by path."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        array = np.ascontiguousarray(store.read(path))
        digest.update(f"{path} {array.dtype} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
