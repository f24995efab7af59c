"""What both models are fed: the same random numbers, each in its own layout, several times over.

A first draw cannot show everything: a row of a table that it does not choose, a padded step, a saturated function. So
there are more: other numbers, padding at either end where the models know of padding, and large numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autoport.errors import InputError
from autoport.graph import Graph
from autoport.keras.given import conform
from autoport.keras.read import KerasReading, flat_inputs
from autoport.pytorch.read import TorchReading
from autoport.verify.running.feed import input_tensors
from autoport.verify.running.inputs.domains import Domains, has_steps, valid_steps
from autoport.verify.running.inputs.keras import keras_reads
from autoport.verify.running.inputs.pytorch import torch_reads
from autoport.verify.verification import DrawKind
from autoport.weights.algebra import Array

# How much larger floats are in a wide draw.
WIDE = 8.0


# Every kind of draw has random numbers of its own; those of the first depend on the seed alone.
STREAMS = {DrawKind.AGAIN: 1, DrawKind.PADDED_END: 2, DrawKind.PADDED_START: 3, DrawKind.WIDE: 4}


@dataclass(frozen=True)
class Draw:
    """What both models are fed in one run.

    Attributes:
        kind: what is special about it.
        arrays: the Keras inputs, in order.
        valid: steps that are not padding, of every row; None where nothing is padded.
    """

    kind: DrawKind
    arrays: list[Array]
    valid: Array | None = None

    @property
    def is_first(self) -> bool:
        """Whether no other draw goes before it."""
        return self.kind in (DrawKind.GIVEN, DrawKind.FIRST)

    @property
    def is_padded(self) -> bool:
        """Whether some steps are padding."""
        return self.valid is not None


class Draws:
    """What both models are fed, draw by draw. They are asked once what they do with their inputs, and only if need be.

    Args:
        graph: the Keras model's.
        tf_reading: the Keras model.
        torch_reading: the PyTorch model.
        seed: of the random numbers.
        inputs: the user's, for the first draw.
    """

    def __init__(
        self, graph: Graph, tf_reading: KerasReading, torch_reading: TorchReading, seed: int = 0, inputs: Any = None
    ) -> None:
        self._graph, self._tf, self._torch = graph, tf_reading, torch_reading
        self._seed, self._inputs = seed, inputs

    @cached_property
    def first(self) -> Draw:
        """The first run's inputs: the user's, or random ones of the shapes that the models were traced on.

        Floats are normally distributed. Integers that are looked up range over the whole table, but for the value that
        means padding. Other integers and masks are those that the models were traced on, and so are all inputs if
        PyTorch was given some of its own.

        Raises:
            InputError: the user's inputs do not fit, or PyTorch's cannot be derived from them.
        """
        examples = flat_inputs(self._tf.inputs)
        if self._inputs is not None:
            arrays = conform(self._inputs, self._tf.inputs, self._tf.model)
            if _has_own_inputs(self._torch) and not all(map(np.array_equal, arrays, examples)):
                raise InputError(
                    "the models were matched on torch_inputs= that are other numbers than the Keras inputs, so what "
                    "the PyTorch model takes cannot be derived from these: match the models on them"
                )
            return Draw(DrawKind.GIVEN, arrays)
        if _has_own_inputs(self._torch):
            return Draw(DrawKind.FIRST, examples)
        return Draw(DrawKind.FIRST, self._domains.draw(np.random.default_rng(self._seed)))

    def further(self, *, thorough: bool) -> list[Draw]:
        """The inputs of further runs; none where PyTorch was given inputs of its own.

        Args:
            thorough: also draw what only floats show; otherwise only other integers, and padding, where a model knows
                it.
        """
        if _has_own_inputs(self._torch):
            return []
        looked_up = any(domain.indices is not None for domain in self._domains)
        floats = any(domain.is_scaled for domain in self._domains)
        padded = any(domain.has_padding for domain in self._domains)
        kinds = {
            DrawKind.AGAIN: looked_up or (thorough and floats),
            DrawKind.PADDED_END: padded,
            DrawKind.PADDED_START: padded,
            DrawKind.WIDE: thorough and floats,
        }
        return [_further_draw(self._domains, kind, self._seed) for kind, wanted in kinds.items() if wanted]

    @cached_property
    def _domains(self) -> Domains:
        tensors = zip(input_tensors(self._torch), self._torch.names, strict=True)
        whole = {place for tensor, (place, _) in tensors if place is not None and not tensor.is_floating_point()}
        sides = [keras_reads(self._tf), torch_reads(self._torch)]
        return Domains(flat_inputs(self._tf.inputs), sides, whole, _tables(self._graph))


def _further_draw(domains: Domains, kind: DrawKind, seed: int) -> Draw:
    arrays = domains.draw(np.random.default_rng([seed, STREAMS[kind]]))
    if kind is DrawKind.WIDE:
        pairs = zip(arrays, domains, strict=True)
        return Draw(kind, [WIDE * array if domain.is_scaled else array for array, domain in pairs])
    if kind is DrawKind.AGAIN:
        return Draw(kind, arrays)
    return _pad(domains, kind, arrays)


def _pad(domains: Domains, kind: DrawKind, arrays: list[Array]) -> Draw:
    """A draw whose rows end, or begin, with padding: masks are cleared there, and steps get the value that marks them.

    Where a mask is an input, look-ups get the first row there, as of a tokenizer: what a model takes from the step with
    the largest number is no padding then.
    """
    paddable = [(array, domain) for array, domain in zip(arrays, domains, strict=True) if domain.has_padding]
    sizes = [(len(a), a.size // len(a) if domain.is_mask else a.shape[1]) for a, domain in paddable]
    valid = valid_steps(*sizes[0], at_end=kind is DrawKind.PADDED_END)
    padded = []
    for array, domain in zip(arrays, domains, strict=True):
        if domain.is_mask:
            steps = valid_steps(len(array), array.size // len(array), at_end=kind is DrawKind.PADDED_END)
            padded.append(steps.reshape(array.shape).astype(array.dtype))
        elif has_steps(array) and domain.filler is not None:
            steps = valid_steps(*array.shape[:2], at_end=kind is DrawKind.PADDED_END)
            steps = steps.reshape(steps.shape + (1,) * (array.ndim - 2))
            padded.append(np.where(steps, array, np.asarray(domain.filler)).astype(array.dtype))
        else:
            padded.append(array)
    return Draw(kind, padded, valid)


def _has_own_inputs(reading: TorchReading) -> bool:
    """Whether a PyTorch model was given inputs that are none of the Keras inputs."""
    return any(place is None for place, _ in reading.names)


def _tables(graph: Graph) -> dict[int, int]:
    """For inputs that are looked up as they are, the rows of the smallest table; also inside of called functions."""
    rows: dict[int, int] = {}
    for op in graph.ops():
        if not op.kind.is_input:
            continue
        waiting = [op.name]
        while waiting:
            for consumer in map(graph.op, graph.successors(waiting.pop())):
                if consumer.kind.is_shape_only:
                    waiting.append(consumer.name)
                for weight in consumer.weights.values() if consumer.kind.is_lookup else ():
                    sizes = [piece.sizes.get("v", 1) for piece in weight.pieces]
                    place = op.attrs["position"]
                    rows[place] = min([*sizes, rows.get(place, sizes[0])])
    return rows
