"""What both models are fed: every row of every table, and padding wherever one of them knows of padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops
from torch import nn

import autoport
from autoport.graph import vocabulary
from autoport.verify.running.draws import Draw, Draws
from autoport.verify.running.feed import torch_feed
from autoport.verify.running.replay import computing_in
from autoport.verify.verification import DrawKind
from tests.oracle import sequential

STEPS, ROWS = 9, 7


@pytest.fixture
def foreign() -> Iterator[None]:
    """For models with functions that the vocabulary may lack: those that pack sequences."""
    with vocabulary.strict(False):
        yield


def draws_of(match: autoport.Match, *, thorough: bool = False, seed: int = 0) -> tuple[Draw, dict[DrawKind, Draw]]:
    current = match.current()
    draws = Draws(current.analysis.graphs.tf, *current.readings, seed)
    with computing_in("float64"):
        return draws.first, {draw.kind: draw for draw in draws.further(thorough=thorough)}


def fed(match: autoport.Match, draw: Draw) -> list[np.ndarray]:
    with computing_in("float64"):
        return [tensor.numpy() for tensor in torch_feed(match.current().readings.torch, draw.arrays)]


class Steps(nn.Module):
    """A table or none, an LSTM, a dense layer; what padding is, the function tells."""

    def __init__(self, rows: int | None, lengths: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
        super().__init__()
        self.table = None if rows is None else nn.Embedding(rows, 6)
        self.lstm, self.head, self.lengths = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 2), lengths

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps: Any = x if self.table is None else self.table(x)
        if self.lengths is not None:
            lengths = self.lengths(x).cpu()
            steps = nn.utils.rnn.pack_padded_sequence(steps, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.lstm(steps)[1][0][-1])


def masking(value: float) -> keras.Model:
    return sequential((STEPS, 6), layers.Masking(value), layers.LSTM(5), layers.Dense(2))


def embedding(rows: int = ROWS, *, mask_zero: bool = True) -> keras.Model:
    return sequential((STEPS,), layers.Embedding(rows, 6, mask_zero=mask_zero), layers.LSTM(5), layers.Dense(2))


def assert_padded(draws: dict[DrawKind, Draw]) -> None:
    end, start = draws[DrawKind.PADDED_END].valid, draws[DrawKind.PADDED_START].valid
    assert end is not None
    assert start is not None
    counts = end.sum(1)
    assert end.shape == (2, STEPS)
    assert sorted(set(counts)) == sorted(counts)
    assert counts.min() > 0
    assert counts.max() == STEPS
    assert all(row[: row.sum()].all() for row in end)
    assert (start == end[:, ::-1]).all()


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("lengths", [None, lambda x: (x.abs().sum(2) != 0).sum(1)], ids=["plain", "packed"])
def test_masking_pads_with_its_value(value: float, lengths: Any) -> None:
    match = autoport.match(masking(value), Steps(None, lengths))
    first, draws = draws_of(match)
    assert first.kind is DrawKind.FIRST
    assert first.valid is None
    assert not (first.arrays[0] == value).any()
    assert list(draws) == [DrawKind.PADDED_END, DrawKind.PADDED_START]
    assert_padded(draws)
    for draw in draws.values():
        assert ((draw.arrays[0] == value).all(2) == ~draw.valid).all()
        assert (fed(match, draw)[0] == draw.arrays[0]).all()


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize(
    "lengths",
    [
        lambda x: (x.abs().sum(2) != 0).sum(1),
        lambda x: (x != 0).any(2).sum(1),
        lambda x: (x.abs().amax(2) > 0).long().sum(1),
        lambda x: x.abs().sum(2).sign().sum(1).long(),
        lambda x: (x[:, :, 0] != 0).sum(1),
    ],
)
def test_padding_that_only_pytorch_knows(lengths: Any) -> None:
    match = autoport.match(sequential((STEPS, 6), layers.LSTM(5), layers.Dense(2)), Steps(None, lengths))
    _, draws = draws_of(match)
    assert_padded(draws)
    assert ((draws[DrawKind.PADDED_END].arrays[0] == 0).all(2) == ~draws[DrawKind.PADDED_END].valid).all()


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize(
    "lengths",
    [
        None,
        lambda x: x.ne(0).sum(1),
        lambda x: (x > 0).sum(1),
        lambda x: (x >= 1).sum(1),
        lambda x: STEPS - (x < 1).sum(1),
        lambda x: x.bool().sum(1),
        lambda x: x.sign().sum(1),
    ],
)
def test_mask_zero_pads_with_zero(lengths: Any) -> None:
    match = autoport.match(embedding(), Steps(ROWS, lengths))
    first, draws = draws_of(match)
    assert set(np.unique(first.arrays[0])) == set(range(1, ROWS))
    assert list(draws) == [DrawKind.AGAIN, DrawKind.PADDED_END, DrawKind.PADDED_START]
    assert_padded(draws)
    for kind in (DrawKind.PADDED_END, DrawKind.PADDED_START):
        assert ((draws[kind].arrays[0] == 0) == ~draws[kind].valid).all()
        assert (fed(match, draws[kind])[0] == draws[kind].arrays[0]).all()


class Pooled(nn.Module):
    """Token embeddings, those of positions counted past padding, attention that ignores padding, a mean without it."""

    def __init__(self, pad: int) -> None:
        super().__init__()
        self.pad, self.words, self.places = pad, nn.Embedding(11, 8), nn.Embedding(STEPS + pad + 1, 8)
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        mask = ids.ne(self.pad).int()
        x = self.words(ids) + self.places((mask.cumsum(1) * mask).long() + self.pad)
        x = self.attention(x, x, x, key_padding_mask=mask == 0)[0] * mask[:, :, None]
        return self.head(x.sum(1) / mask.float().sum(1, keepdim=True))


def pooled(pad: int) -> keras.Model:
    ids = keras.Input((STEPS,), dtype="int32")
    mask = ops.cast(ops.not_equal(ids, pad), "int32")
    places = layers.Embedding(STEPS + pad + 1, 8)(ops.cumsum(mask, axis=1) * mask + pad)
    x = layers.Embedding(11, 8)(ids) + places
    x = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=ops.cast(mask, "bool")[:, None, :])
    weights = ops.cast(mask, "float32")
    total = ops.sum(x * weights[:, :, None], axis=1) / ops.sum(weights, axis=1, keepdims=True)
    return keras.Model(ids, layers.Dense(3)(total))


@pytest.mark.parametrize("pad", [0, 1, 10])
def test_masks_that_the_forward_pass_computes_of_ids(pad: int) -> None:
    match = autoport.match(pooled(pad), Pooled(pad))
    first, draws = draws_of(match)
    assert set(np.unique(first.arrays[0])) == set(range(11)) - {pad}
    assert_padded(draws)
    assert all(((draw.arrays[0] == pad) == ~draw.valid).all() for draw in draws.values() if draw.valid is not None)
    match.assign()
    for draw in (first, *draws.values()):
        assert match.verify(draw.arrays).ok


class Masked(nn.Module):
    """Attention over tokens that a mask of ones and zeros lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.kinds = nn.Embedding(ROWS, 8), nn.Embedding(3, 8)
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, ids: torch.Tensor, kinds: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.words(ids) + self.kinds(kinds)
        return self.head(self.attention(x, x, x, key_padding_mask=mask == 0)[0])


def masked(dtype: str) -> keras.Model:
    ids, kinds = keras.Input((STEPS,), dtype="int32"), keras.Input((STEPS,), dtype="int32")
    mask = keras.Input((STEPS,), dtype=dtype)
    x = layers.Embedding(ROWS, 8)(ids) + layers.Embedding(3, 8)(kinds)
    x = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=ops.cast(mask, "bool")[:, None, :])
    return keras.Model([ids, kinds, mask], layers.Dense(3)(x))


@pytest.mark.parametrize("dtype", ["int32", "bool", "float32"])
def test_a_mask_is_cleared_and_ids_are_filled_there(dtype: str) -> None:
    inputs = [np.zeros((2, STEPS), "int32"), np.zeros((2, STEPS), "int32"), np.ones((2, STEPS), dtype)]
    match = autoport.match(masked(dtype), Masked(), inputs=inputs)
    first, draws = draws_of(match)
    assert [set(np.unique(array)) for array in first.arrays] == [set(range(ROWS)), {0, 1, 2}, {1}]
    assert_padded(draws)
    for kind in (DrawKind.PADDED_END, DrawKind.PADDED_START):
        ids, kinds, mask = draws[kind].arrays
        assert mask.dtype == inputs[2].dtype
        assert (mask == draws[kind].valid).all()
        assert set(ids[~draws[kind].valid]) == {0}
        assert len(np.unique(kinds)) == 3
        assert all((a == b).all() for a, b in zip(fed(match, draws[kind]), draws[kind].arrays, strict=True))
    match.assign()
    assert all(match.verify(draw.arrays).ok for draw in (first, *draws.values()))


def test_a_single_row_is_padded_by_half() -> None:
    inputs = [np.zeros((1, STEPS), "int32"), np.zeros((1, STEPS), "int32"), np.ones((1, STEPS), "int32")]
    _, draws = draws_of(autoport.match(masked("int32"), Masked(), inputs=inputs))
    assert draws[DrawKind.PADDED_END].valid.tolist() == [[True] * 5 + [False] * 4]


def test_a_mask_that_is_added_to_biases_of_positions() -> None:
    """Where scores are masked by adding, the mask meets a table first."""
    words, mask = keras.Input((STEPS,), dtype="int32"), keras.Input((STEPS,), dtype="int32")
    bias = layers.Embedding(STEPS, 1)(np.arange(STEPS))[:, 0] + (1.0 - ops.cast(mask, "float32")) * -1e9
    weights = ops.softmax(bias)[:, :, None]
    model = keras.Model([words, mask], layers.Dense(2)(ops.sum(layers.Embedding(ROWS, 6)(words) * weights, axis=1)))

    class Biased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places, self.head = nn.Embedding(ROWS, 6), nn.Embedding(STEPS, 1), nn.Linear(6, 2)

        def forward(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            bias = self.places(torch.arange(STEPS))[:, 0] + (1.0 - mask.float()) * -1e9
            return self.head((self.words(words) * bias.softmax(1)[:, :, None]).sum(1))

    _, draws = draws_of(autoport.match(model, Biased()))
    assert_padded(draws)
    assert (draws[DrawKind.PADDED_END].arrays[1] == draws[DrawKind.PADDED_END].valid).all()


class Offset(nn.Module):
    def __init__(self, rows: int, index: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.table, self.head, self.index = nn.Embedding(rows, 6), nn.Linear(6, 2), index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.table(self.index(x)))


@pytest.mark.parametrize("rows", [2, 3, 12, 18, 19, 40, 1000])
def test_the_whole_table_is_drawn(rows: int) -> None:
    match = autoport.match(embedding(rows, mask_zero=False), Steps(rows, None))
    first, draws = draws_of(match)
    assert list(draws) == [DrawKind.AGAIN]
    for draw in (first, draws[DrawKind.AGAIN]):
        chosen = set(np.unique(draw.arrays[0]))
        assert {0, rows - 1} <= chosen <= set(range(rows))
        assert len(chosen) == min(rows, draw.arrays[0].size)
    assert (first.arrays[0] != draws[DrawKind.AGAIN].arrays[0]).any()
    assert all((a == b).all() for a, b in zip(first.arrays, draws_of(match)[0].arrays, strict=True))
    assert (first.arrays[0] != draws_of(match, seed=1)[0].arrays[0]).any()


@pytest.mark.parametrize(
    ("index", "low", "high"),
    [
        (lambda x: x, 0, 19),
        (lambda x: x - 1, 1, 20),
        (lambda x: x + 2, 0, 17),
        (lambda x: 19 - x, 0, 19),
        (lambda x: x // 2, 0, 39),
        (lambda x: x.clip(0, 19) if isinstance(x, torch.Tensor) else ops.clip(x, 0, 19), 0, 19),
    ],
    ids=["as it is", "from 1", "behind special rows", "from the end", "in pairs", "clipped"],
)
def test_indices_that_are_computed_stay_in_the_table(index: Any, low: int, high: int) -> None:
    ids = keras.Input((60,), dtype="int32")
    model = keras.Model(ids, layers.Dense(2)(layers.Embedding(20, 6)(index(ids))))
    match = autoport.match(model, Offset(20, index))
    array = draws_of(match)[0].arrays[0]
    assert (array.min(), array.max()) == (low, high)
    assert len(np.unique(array)) == high - low + 1
    match.assign()
    assert match.verify().ok


def test_indices_of_two_inputs_that_would_leave_the_table_together_are_kept() -> None:
    a, b = keras.Input((STEPS,), dtype="int32"), keras.Input((STEPS,), dtype="int32")
    model = keras.Model([a, b], layers.Dense(2)(layers.Embedding(20, 6)(a + b)))

    class Sum(Offset):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return self.head(self.table(x + y))

    match = autoport.match(model, Sum(20, torch.abs))
    match.assign()
    assert match.verify().ok


def test_floats_that_are_looked_up() -> None:
    match = autoport.match(sequential((STEPS,), layers.Embedding(5, 6), layers.Dense(2)), Offset(5, lambda x: x))
    first, draws = draws_of(match, thorough=True)
    assert first.arrays[0].dtype == np.float32
    assert set(np.unique(first.arrays[0])) == set(range(5))
    assert list(draws) == [DrawKind.AGAIN]


def test_images_are_drawn_once_unless_asked_for_more() -> None:
    model = sequential((9, 12, 3), layers.Conv2D(4, 3), layers.ReLU(), layers.Flatten(), layers.Dense(5))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(280, 5))
    match = autoport.match(model, module)
    first, draws = draws_of(match)
    assert draws == {}
    _, draws = draws_of(match, thorough=True)
    assert list(draws) == [DrawKind.AGAIN, DrawKind.WIDE]
    assert 0.8 < first.arrays[0].std() < 1.2
    assert 6.4 < draws[DrawKind.WIDE].arrays[0].std() < 9.6
    assert (first.arrays[0] != draws[DrawKind.AGAIN].arrays[0]).all()
    assert all((fed(match, draw)[0].transpose(0, 2, 3, 1) == draw.arrays[0]).all() for draw in draws.values())


@pytest.mark.parametrize("values", [np.ones, np.zeros])
def test_ones_and_zeros_that_meet_weights_are_no_mask(values: Any) -> None:
    match = autoport.match(
        sequential((STEPS,), layers.Dense(4)), nn.Linear(STEPS, 4), inputs=values((2, STEPS), "float32")
    )
    first, draws = draws_of(match)
    assert draws == {}
    assert len(np.unique(first.arrays[0])) == 2 * STEPS


def test_a_threshold_on_floats_is_no_padding() -> None:
    steps = keras.Input((STEPS, 6))
    model = keras.Model(steps, layers.Dense(2)(ops.where(steps > 0.5, steps, 0.0)))

    class Threshold(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.where(x > 0.5, x, 0.0))

    assert draws_of(autoport.match(model, Threshold()))[1] == {}


def test_inputs_of_pytorch_s_own_are_not_drawn() -> None:
    ids = np.arange(18, dtype="int32").reshape(2, STEPS) % ROWS
    match = autoport.match(
        embedding(mask_zero=False), FromTheEnd(), inputs=ids, torch_inputs=torch.from_numpy(ROWS - ids).long()
    )
    first, draws = draws_of(match)
    assert (first.arrays[0] == ids).all()
    assert draws == {}


class FromTheEnd(Steps):
    def __init__(self) -> None:
        super().__init__(ROWS, None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(ROWS - x)
