"""Inputs that a user hands over, in every form that `match` and `verify` take, and what they are told otherwise."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers
from torch import nn

import autoport
from autoport.errors import InputError
from tests.oracle import sequential
from tests.support import randomise_keras

IDS = np.asarray([[1, 2, 3, 4], [4, 0, 2, 1]], "int32")
FLOATS = np.random.default_rng(0).standard_normal((2, 3)).astype("float32")


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.dense, self.head = nn.Embedding(5, 6), nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, ids: torch.Tensor, floats: torch.Tensor) -> torch.Tensor:
        return self.head(self.table(ids).sum(1) + self.dense(floats))


def functional(structure: Callable[[Any, Any], Any]) -> keras.Model:
    """A functional model whose inputs stand in a structure."""
    ids, floats = keras.Input((4,), dtype="int32", name="z_ids"), keras.Input((3,), name="a_floats")
    x = keras.ops.sum(layers.Embedding(5, 6)(ids), axis=1) + layers.Dense(6)(floats)
    return keras.Model(structure(ids, floats), layers.Dense(2)(x))


class Subclassed(keras.Model):
    """A model that takes whatever `pick` takes apart."""

    def __init__(self, pick: Callable[[Any], tuple[Any, Any]]) -> None:
        super().__init__()
        self.pick = pick
        self.table, self.dense, self.head = layers.Embedding(5, 6), layers.Dense(6), layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        ids, floats = self.pick(inputs)
        return self.head(keras.ops.sum(self.table(ids), axis=1) + self.dense(floats))


def matched(model: Any, inputs: Any) -> autoport.Match:
    """A match whose weights are assigned; the PyTorch model takes ids, then floats."""
    if not model.built:
        model(tf.nest.map_structure(tf.convert_to_tensor, inputs))
    randomise_keras(model, 1)
    match = autoport.match(model, Two(), inputs=inputs, torch_inputs=(torch.from_numpy(IDS), torch.from_numpy(FLOATS)))
    match.assign()
    return match


LISTS = {
    "list": [IDS, FLOATS],
    "tuple": (IDS, FLOATS),
    "tensors": [tf.constant(IDS), tf.constant(FLOATS)],
    "variables": [tf.Variable(IDS), tf.Variable(FLOATS)],
    "torch": [torch.from_numpy(IDS), torch.from_numpy(FLOATS).requires_grad_()],
    "wide": [IDS.astype("int64"), FLOATS.astype("float64")],
    "numbers": [IDS.tolist(), FLOATS.tolist()],
    "whole floats": [IDS.astype("float32"), FLOATS],
}
NAMED = {
    "names": {"z_ids": IDS, "a_floats": FLOATS},
    "ordered": OrderedDict(a_floats=FLOATS, z_ids=IDS),
    "mapping": UserDict(a_floats=tf.constant(FLOATS), z_ids=torch.from_numpy(IDS)),
    "with none": {"z_ids": IDS, "a_floats": FLOATS, "left_out": None},
}


@pytest.fixture(scope="module")
def of_list() -> autoport.Match:
    return matched(functional(lambda ids, floats: [ids, floats]), [IDS, FLOATS])


@pytest.fixture(scope="module")
def of_dict() -> autoport.Match:
    return matched(functional(lambda ids, floats: {"z_ids": ids, "a_floats": floats}), NAMED["names"])


@pytest.mark.parametrize("inputs", [*LISTS.values(), *NAMED.values()], ids=[*LISTS, *NAMED])
def test_a_functional_model_with_a_list(of_list: autoport.Match, inputs: Any) -> None:
    assert of_list.verify(inputs).ok
    assert not of_list.settle(inputs)


@pytest.mark.parametrize("inputs", NAMED.values(), ids=NAMED)
def test_a_functional_model_with_a_dict(of_dict: autoport.Match, inputs: Any) -> None:
    assert of_dict.verify(inputs).ok


@pytest.mark.parametrize("inputs", [value for name, value in LISTS.items() if name != "numbers"])
def test_match_takes_the_same(inputs: Any) -> None:
    assert matched(functional(lambda ids, floats: [ids, floats]), inputs).verify([IDS, FLOATS]).ok


@pytest.mark.parametrize("inputs", NAMED.values(), ids=NAMED)
def test_match_takes_the_same_by_name(inputs: Any) -> None:
    model = functional(lambda ids, floats: {"z_ids": ids, "a_floats": floats})
    assert matched(model, inputs).verify(NAMED["names"]).ok


@pytest.mark.parametrize(
    ("pick", "inputs"),
    [
        (lambda x: (x[0], x[1]), [IDS, FLOATS]),
        (lambda x: (x["ids"], x["floats"]), {"ids": IDS, "floats": FLOATS}),
        (lambda x: (x["ids"], x["more"]["floats"][0]), {"ids": IDS, "more": {"floats": [FLOATS]}}),
        (lambda x: (x[0], x[1]["floats"]), (IDS, {"floats": FLOATS})),
    ],
    ids=["list", "dict", "nested", "mixed"],
)
def test_a_subclassed_model(pick: Any, inputs: Any) -> None:
    match = matched(Subclassed(pick), inputs)
    assert match.verify(inputs).ok
    assert match.verify(tf.nest.map_structure(tf.constant, inputs)).ok
    assert match.verify(tf.nest.map_structure(torch.from_numpy, inputs)).ok
    with pytest.raises(InputError):
        match.verify(IDS)


def test_one_input_in_any_wrapping() -> None:
    image = np.random.default_rng(0).standard_normal((2, 6, 5, 3))
    model = sequential((6, 5, 3), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(48, 2))
    match = autoport.match(model, module)
    match.assign()
    small = (image[:, :, :, :] * 9).astype("uint8")
    for inputs in (image, [image], (image,), {"image": image}, torch.from_numpy(image), small, image.tolist()):
        match = autoport.match(model, module, inputs=image.astype("float32"))
        assert match.verify(inputs).ok


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([IDS], r"2 arrays .* a list of 1"),
        ([IDS, FLOATS, FLOATS], r"2 arrays .* a list of 3"),
        (IDS, r"2 arrays .* one array of shape \(2, 4\)"),
        ({"z_ids": IDS}, r"'a_floats' is missing; .* 'z_ids', 'a_floats'"),
        ({"z_ids": IDS, "a_floats": None}, "'a_floats' is missing"),
        (NAMED["names"] | {"other": IDS}, "'other' is unknown"),
        ([IDS[:1], FLOATS], r"'z_ids': shape \(2, 4\) .* \(1, 4\)"),
        ([IDS, FLOATS[:, :2]], r"'a_floats': shape \(2, 3\) .* \(2, 2\)"),
        ([IDS + 0.5, FLOATS], r"'z_ids': .* int32 .* float64"),
        ([IDS, FLOATS.astype(str)], r"inputs\[1\]: an array of numbers"),
        ([IDS, object()], r"inputs\[1\]: an array of numbers"),
    ],
)
def test_what_does_not_fit_is_named(of_list: autoport.Match, inputs: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        of_list.verify(inputs)


def test_a_key_that_a_dict_lacks_is_named(of_dict: autoport.Match) -> None:
    with pytest.raises(InputError, match="'z_ids' is missing"):
        of_dict.verify({"a_floats": FLOATS})
    with pytest.raises(InputError, match="'z_ids': shape"):
        of_dict.verify({"a_floats": FLOATS, "z_ids": IDS.T})


def test_inputs_from_which_pytorch_s_own_cannot_be_derived() -> None:
    model = sequential((3,), layers.Dense(4))
    match = autoport.match(model, nn.Linear(3, 4), inputs=FLOATS, torch_inputs=torch.from_numpy(2 * FLOATS))
    with pytest.raises(InputError, match="torch_inputs"):
        match.verify(FLOATS + 1)


def test_two_inputs_of_equal_values_are_two() -> None:
    ones = np.ones((2, 4), "int32")
    a, b = keras.Input((4,), dtype="int32"), keras.Input((4,), dtype="int32")
    model = keras.Model([a, b], layers.Dense(2)(layers.Embedding(5, 6)(a) * layers.Embedding(7, 6)(b)))

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.head = nn.Embedding(5, 6), nn.Embedding(7, 6), nn.Linear(6, 2)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.head(self.a(a) * self.b(b))

    match = autoport.match(
        model, Both(), inputs=[ones, ones], torch_inputs={"a": torch.from_numpy(ones), "b": torch.from_numpy(ones)}
    )
    match.assign()
    assert match.verify().ok
