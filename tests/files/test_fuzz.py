"""Damaged files by the thousand: an error that says so, or what is harmless; no crash, no hang, nothing half-written.

The default run takes some places of each file. `make fuzz` cuts every file off at every byte, and flips bits in it
thousands of times.
"""

from __future__ import annotations

import faulthandler
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
import torch
from safetensors.torch import save_file

import autoport
from autoport.errors import AutoportError
from autoport.loading.by_name import load_keras, load_torch
from autoport.transfer.into_file import apply_plan
from tests.files.models import Module

SOME, MANY = 60, 4000
PATIENCE = 60  # seconds for one file


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of small files need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@dataclass
class Pair:
    """Two small models of one architecture, and what is between them."""

    model: Any
    net: torch.nn.Module
    match: autoport.Match


@pytest.fixture(scope="module")
def pair() -> Pair:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    return Pair(model, net, autoport.match(model, net))


Read = Callable[[Pair, Path, Path], object]


def port(to: str) -> Read:
    """Carries the weights of a file over."""
    name = "out.safetensors" if to == "torch" else "out.weights.h5"
    return lambda pair, path, out: apply_plan(pair.match.plan(to), path, out / name)


@dataclass
class Sample:
    """A file that is damaged.

    Attributes:
        write: makes it in a folder.
        damaged: which file of the folder is damaged; the first of that form.
        read: reads it, by the path that `given` says.
        given: what is given to `read`, if that is another file or the folder.
        whole: whether a file that was cut off anywhere is an error.
    """

    write: Callable[[Pair, Path], object]
    damaged: str
    read: Read
    given: str | None = None
    whole: bool = True


def _shards(pair: Pair, folder: Path) -> None:
    pair.match.save_weights(folder / "x.safetensors", shard_size=40)


def _old(pair: Pair, folder: Path) -> None:
    torch.save(pair.net.state_dict(), folder / "x.pth", _use_new_zipfile_serialization=False)


def _exported(pair: Pair, folder: Path) -> None:
    torch.export.save(torch.export.export(pair.net.eval(), (torch.zeros(2, 4),)), folder / "x.pt2")


def _checkpoint(pair: Pair, folder: Path) -> None:
    tf.train.Checkpoint(model=pair.model).write(str(folder / "x"))


def _keras_shards(pair: Pair, folder: Path) -> None:
    pair.model.save_weights(folder / "x.weights.json", max_shard_size=5e-8)


def _loaded(load: Callable[[str], object]) -> Read:
    return lambda pair, path, out: load(str(path))


in_place = partial(load_keras, in_place=True)
KERAS_SHARDS = Sample(_keras_shards, "*_00000.weights.h5", port("torch"), "x.weights.json")
SHARDS = Sample(_shards, "x-00001*", port("tf"), "x.safetensors.index.json")
SAMPLES: dict[str, Sample] = {
    "weights.h5": Sample(lambda p, f: p.model.save_weights(f / "x.weights.h5"), "x.weights.h5", port("torch")),
    "shard of weights.json": KERAS_SHARDS,
    "weights.json": Sample(_keras_shards, "x.weights.json", port("torch"), whole=False),
    "h5": Sample(lambda p, f: p.model.save(f / "x.h5"), "x.h5", port("torch")),
    "h5 as a model": Sample(lambda p, f: p.model.save(f / "x.h5"), "x.h5", _loaded(in_place)),
    "keras": Sample(lambda p, f: p.model.save(f / "x.keras"), "x.keras", port("torch")),
    "keras as a model": Sample(lambda p, f: p.model.save(f / "x.keras"), "x.keras", _loaded(in_place)),
    "index of a checkpoint": Sample(_checkpoint, "x.index", port("torch")),
    "data of a checkpoint": Sample(_checkpoint, "x.data*", port("torch"), "x"),
    "saved_model.pb": Sample(
        lambda p, f: tf.saved_model.save(Module(), str(f)), "saved_model.pb", _loaded(load_keras), ".", whole=False
    ),
    "safetensors": Sample(lambda p, f: save_file(p.net.state_dict(), f / "x.safetensors"), "x.safetensors", port("tf")),
    "shard of safetensors": SHARDS,
    "index of safetensors": Sample(_shards, "x.safetensors.index.json", port("tf"), whole=False),
    "pt": Sample(lambda p, f: torch.save(p.net.state_dict(), f / "x.pt"), "x.pt", port("tf")),
    "pth of the old format": Sample(_old, "x.pth", port("tf")),
    "pt2": Sample(_exported, "x.pt2", port("tf")),
    "pt2 as a model": Sample(_exported, "x.pt2", _loaded(load_torch)),
    "plan": Sample(
        lambda p, f: p.match.plan().save(f / "x.plan.json"),
        "x.plan.json",
        lambda pair, path, out: autoport.Plan.load(path),
        whole=False,
    ),
}


def truncations(content: bytes, cases: int | None) -> Iterator[tuple[str, bytes]]:
    """The file cut off at every byte, or at so many of them."""
    lengths = range(len(content))
    for length in lengths if cases is None else sorted(random.Random(1).sample(lengths, min(cases, len(content)))):
        yield f"cut off behind {length} bytes", content[:length]


def flips(content: bytes, cases: int | None) -> Iterator[tuple[str, bytes]]:
    """The file with a few bits changed, most of them where its structure is."""
    rng = random.Random(2)
    for number in range(MANY if cases is None else cases):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 3, 20))):
            place = rng.choice((rng.randrange(len(content)), rng.randrange(min(512, len(content)))))
            damaged[place] ^= 1 << rng.randrange(8)
        yield f"the {number}th with bits changed", bytes(damaged)


def _failure(read: Callable[[], object]) -> AutoportError | None:
    """The error that a file is; a hang ends the process."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    try:
        read()
    except AutoportError as error:
        return error
    finally:
        faulthandler.cancel_dump_traceback_later()
    return None


@pytest.mark.parametrize("cases", [pytest.param(SOME, id="some"), pytest.param(None, id="all", marks=pytest.mark.fuzz)])
@pytest.mark.parametrize("damage", [truncations, flips])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_damaged_file_is_an_error_or_harmless(
    pair: Pair, name: str, damage: Any, cases: int | None, tmp_path: Path
) -> None:
    sample, folder, out = SAMPLES[name], tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    sample.write(pair, folder)
    place = next(folder.glob(sample.damaged))
    given = folder / sample.given if sample.given else place
    before = sorted(folder.rglob("*"))
    out.mkdir()
    sample.read(pair, given, out)  # as it is
    for text, content in damage(place.read_bytes(), cases):
        shutil.rmtree(out)
        out.mkdir()
        place.write_bytes(content)
        failure = _failure(partial(sample.read, pair, given, out))
        assert failure is None or not list(out.iterdir()), text
        assert failure is not None or damage is flips or not sample.whole, text
    assert sorted(folder.rglob("*")) == before
