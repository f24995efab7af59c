"""What the random architectures found, as small as it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import layers, ops
from torch import nn

import autoport
from tests.layers.test_spellings import Apply
from tests.oracle import assert_ports, sequential
from tests.support import keras_float64, randomise_keras

FEATURES = 3 * 4 * 5


def around_a_flattened_map(merge: Callable[[Any, Any], Any]) -> Callable[[], keras.Model]:
    def model() -> keras.Model:
        x = keras.Input((3, 4, 5))
        flat = layers.Flatten()(x)
        return keras.Model(x, layers.Dense(8)(merge(layers.Dense(FEATURES)(flat), flat)))

    return model


@pytest.mark.parametrize("keras_first", [True, False])
@pytest.mark.parametrize("torch_first", [True, False])
def test_outputs_that_are_added_to_a_flattened_map_are_permuted_with_it(keras_first: bool, torch_first: bool) -> None:
    """One of the two was permuted, the other not: silently wrong."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        y = self.dense(flat)
        return self.head(y + flat if torch_first else flat + y)

    model = around_a_flattened_map(lambda y, flat: y + flat if keras_first else flat + y)
    assert_ports(model, Apply(forward, head=nn.Linear(FEATURES, 8), dense=nn.Linear(FEATURES, FEATURES)))


def test_two_layers_whose_sum_becomes_a_map_are_both_permuted() -> None:
    def model() -> keras.Model:
        x = keras.Input((7,))
        y = layers.Dense(24)(x) + layers.Dense(24)(ops.tanh(x))
        return keras.Model(x, layers.Conv2D(3, 2)(layers.Reshape((2, 4, 3))(y)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x) + self.second(torch.tanh(x))
        return self.conv(y.view(-1, 3, 2, 4)).permute(0, 2, 3, 1)

    module = Apply(forward, conv=nn.Conv2d(3, 3, 2), second=nn.Linear(7, 24), first=nn.Linear(7, 24))
    assert_ports(model, module)


def test_states_that_are_added_to_the_rows_of_a_map_are_permuted_with_them() -> None:
    def model() -> keras.Model:
        x = keras.Input((5, 4, 3))
        rows = layers.Reshape((5, 12))(x)
        return keras.Model(x, layers.Dense(6)(layers.LSTM(12, return_sequences=True)(rows) + rows))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        rows = x.permute(0, 2, 1, 3).flatten(2)
        return self.head(self.lstm(rows)[0] + rows)

    assert_ports(model, Apply(forward, head=nn.Linear(12, 6), lstm=nn.LSTM(12, 12, batch_first=True)))


def test_features_whose_order_was_lost_are_refused() -> None:
    """A slice of shuffled channels beside others, flattened: it was carried over as it is."""

    def model() -> keras.Model:
        x = keras.Input((5, 4, 6))
        y = ops.reshape(ops.transpose(ops.reshape(x, (-1, 5, 4, 2, 3)), (0, 1, 2, 4, 3)), (-1, 5, 4, 6))
        y = ops.concatenate([layers.Dense(2)(y[..., :2]), y[..., 2:]], -1)
        return keras.Model(x, layers.Dense(3)(layers.Reshape((5, 24))(y)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = x.unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2)
        y = torch.cat([self.mix(y[:, :2]), y[:, 2:]], 1)
        return self.head(y.permute(0, 2, 1, 3).flatten(2))

    with keras_float64():
        match = autoport.match(model(), Apply(forward, head=nn.Linear(24, 3), mix=nn.Conv2d(2, 2, 1)).double())
    assert "head.weight" in match.missing()


def test_a_layer_beside_segments_of_which_one_is_a_flattened_map_is_refused_where_it_is_added() -> None:
    def model() -> keras.Model:
        x, y = keras.Input((2, 3, 4)), keras.Input((5,))
        joined = layers.Concatenate()([layers.Flatten()(x), y])
        return keras.Model([x, y], layers.Dense(3)(joined + layers.Dense(29)(joined)))

    def forward(self: Any, *given: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([given[0].flatten(1), given[1]], 1)
        return self.head(joined + self.dense(joined))

    class Both(Apply):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return forward(self, x, y)

    match = autoport.match(model(), Both(None, head=nn.Linear(29, 3), dense=nn.Linear(29, 29)))
    assert {"head.weight", "dense.weight", "dense.bias"} <= match.missing().keys()


def test_one_of_two_equal_branches_is_not_chosen_for_a_partner_that_is_alone() -> None:
    def model() -> keras.Model:
        x = keras.Input((6,))
        ends = [layers.Dense(4)(layers.Dense(6)(ops.tanh(layers.Dense(2)(x)))) for _ in range(2)]
        return keras.Model(x, [*ends, layers.Dense(3)(x)])

    class Torch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.third, self.first = nn.Linear(6, 3), nn.Linear(6, 4)
            self.second = nn.Sequential(nn.Linear(6, 2), nn.Tanh(), nn.Linear(2, 6), nn.Linear(6, 4))

        def forward(self, x: torch.Tensor) -> Any:
            return self.first(x), self.second(x), self.third(x)

    match = autoport.match(model(), Torch())
    assert match.plan("torch").entries.keys() <= {"third.weight", "third.bias"}


def test_a_single_head_written_as_an_einsum_ports() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.out(F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x)))

    def model() -> keras.Model:
        x = keras.Input((7, 6))
        return keras.Model(x, layers.MultiHeadAttention(1, 4)(x, x))

    linear = {"value": nn.Linear(6, 4), "out": nn.Linear(4, 6), "key": nn.Linear(6, 4), "query": nn.Linear(6, 4)}
    assert_ports(model, Apply(forward, **linear))


def test_last_states_of_a_time_first_layer_are_no_difference() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        hidden = self.rnn(x.permute(2, 0, 1, 3).flatten(2))[1]
        return torch.cat([hidden[0], hidden[1]], 1)

    def model() -> keras.Model:
        return sequential((5, 4, 3), layers.Reshape((5, 12)), layers.Bidirectional(layers.GRU(4)))

    assert_ports(model, Apply(forward, rnn=nn.GRU(12, 4, bidirectional=True)), equal=True)


def test_a_mean_over_pixels_is_a_global_pooling() -> None:
    def model() -> keras.Model:
        pixels = [layers.Conv2D(4, 3), layers.Reshape((-1, 4)), layers.Dense(4), layers.GlobalAveragePooling1D()]
        return sequential((5, 6, 3), *pixels, layers.Dense(2))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.dense(self.conv(x).flatten(2).transpose(1, 2)).mean(1))

    assert_ports(model, Apply(forward, head=nn.Linear(4, 2), dense=nn.Linear(4, 4), conv=nn.Conv2d(3, 4, 3)))


def test_softplus_has_its_usual_parameters_on_both_sides() -> None:
    def model() -> keras.Model:
        return sequential((5,), layers.Dense(4), layers.Lambda(ops.softplus), layers.Dense(3))

    assert_ports(model, nn.Sequential(nn.Linear(5, 4), nn.Softplus(), nn.Linear(4, 3)))


def test_a_layer_that_reads_plain_channels_joined_and_apart_ports() -> None:
    def model() -> keras.Model:
        x, shared = keras.Input((5,)), layers.Dense(6)
        y = ops.concatenate([x, layers.Dense(1)(x)], -1)
        return keras.Model(x, layers.Dense(3)(shared(ops.tanh(shared(y)))))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.shared(torch.tanh(self.shared(torch.cat([x, self.one(x)], 1)))))

    assert_ports(model, Apply(forward, head=nn.Linear(6, 3), shared=nn.Linear(6, 6), one=nn.Linear(5, 1)))


def test_a_layer_that_is_cut_at_one_of_its_uses_ports() -> None:
    """Whole at one use and in parts at the other, its tensor was refused as incomplete."""

    def model() -> keras.Model:
        x, shared = keras.Input((5,)), layers.Dense(5)
        y = shared(ops.tanh(shared(x)))
        return keras.Model(x, layers.Dense(3)(ops.concatenate([layers.Dense(2)(y[:, :2]), y[:, 2:]], -1)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.shared(torch.tanh(self.shared(x)))
        return self.head(torch.cat([self.part(y[:, :2]), y[:, 2:]], 1))

    parts = {"head": nn.Linear(5, 3), "part": nn.Linear(2, 2), "shared": nn.Linear(5, 5)}
    assert_ports(model, Apply(forward, **parts))


def test_layers_that_are_shared_otherwise_are_refused() -> None:
    """What one side uses twice went to a layer of its own, too, although it did not fit where it was shared."""
    x, twice = keras.Input((7,)), layers.Dense(7)
    y = layers.Dense(7)(ops.softplus(twice(ops.sigmoid(twice(x)))))
    model = keras.Model(x, layers.Dense(8)(y))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.twice(F.softplus(self.twice(torch.sigmoid(self.one(x))))))

    module = Apply(forward, head=nn.Linear(7, 8), twice=nn.Linear(7, 7), one=nn.Linear(7, 7))
    randomise_keras(model, 1)
    assert {"twice.weight", "one.weight"} <= autoport.match(model, module).missing().keys()


def test_names_of_axes_do_not_depend_on_the_order_of_operands() -> None:
    """The axis of a convolution was called after one operand here, after the other one there."""

    def model() -> keras.Model:
        x = keras.Input((7, 4))
        y = x + layers.Conv1D(4, 2, padding="same")(x)
        return keras.Model(x, layers.LSTM(3, return_sequences=True)(y))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.conv(F.pad(x.transpose(1, 2), (0, 1))).transpose(1, 2) + x)[0]

    assert_ports(model, Apply(forward, lstm=nn.LSTM(4, 3, batch_first=True), conv=nn.Conv1d(4, 4, 2)))


def test_a_kernel_over_a_whole_sequence_of_pixels_is_a_dense_layer() -> None:
    def model() -> keras.Model:
        x = keras.Input((5, 4, 3))
        pixels = layers.Reshape((20, 3))(layers.Conv2D(3, 1)(x))
        return keras.Model(x, layers.Flatten()(layers.Conv1D(6, 20)(pixels)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(x).flatten(1))

    assert_ports(model, Apply(forward, head=nn.Linear(60, 6), conv=nn.Conv2d(3, 3, 1)))


def test_a_fused_gate_behind_a_flattened_map_and_a_vector_ports() -> None:
    def model() -> keras.Model:
        x = keras.Input((5, 4, 3))
        y = layers.Concatenate()([layers.Flatten()(x), layers.GlobalAveragePooling2D()(layers.Conv2D(6, 2)(x))])
        return keras.Model(x, layers.Dense(2)(ops.sigmoid(layers.Dense(7)(y)) * layers.Dense(7)(y)))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([x.flatten(1), self.conv(x).mean((2, 3))], 1)
        gate, up = self.both(y).chunk(2, 1)
        return self.down(torch.sigmoid(gate) * up)

    parts = {"both": nn.Linear(66, 14), "down": nn.Linear(7, 2), "conv": nn.Conv2d(3, 6, 2)}
    assert_ports(model, Apply(forward, **parts))


@pytest.mark.parametrize("pair", [(lambda x: x * ops.tanh(ops.softplus(x)), F.mish), (ops.log_sigmoid, F.logsigmoid)])
def test_activations_written_out_are_no_difference(pair: tuple[Any, Any]) -> None:
    def model() -> keras.Model:
        return sequential((5,), layers.Dense(4), layers.Lambda(pair[0]), layers.Dense(3))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.head(pair[1](self.inner(x)))

    assert_ports(model, Apply(forward, head=nn.Linear(4, 3), inner=nn.Linear(5, 4)))
