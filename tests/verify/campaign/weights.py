"""Mutations of stored tensors: a number, two tensors, axes, rows that are gates, heads or channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Broken:
    """What was done to stored tensors.

    Attributes:
        name: of the mutation.
        paths: the tensors.
        values: what they hold now.
    """

    name: str
    paths: tuple[str, ...]
    values: tuple[Tensor, ...]


Mutation = Callable[[Tensors, Random], "dict[str, Tensor] | None"]


def nudged(tensors: Tensors, random: Random) -> dict[str, Tensor] | None:
    """One number moves by 1e-4 of the spread of all."""
    path = random.choice(list(tensors))
    made = tensors[path].clone()
    spread = float(made.std()) if made.numel() > 1 else 0.0
    made.view(-1)[random.randrange(made.numel())] += 1e-4 * (spread or float(made.abs().max()) or 1.0)
    return {path: made}


def exchanged(tensors: Tensors, random: Random) -> dict[str, Tensor] | None:
    """Two tensors of one shape change places."""
    pairs = [(a, b) for a in tensors for b in tensors if a < b and tensors[a].shape == tensors[b].shape]
    if not pairs:
        return None
    first, second = random.choice(pairs)
    return {first: tensors[second].clone(), second: tensors[first].clone()}


def transposed(tensors: Tensors, random: Random) -> dict[str, Tensor] | None:
    """Two axes of one size change places."""
    places = [
        (path, a, b)
        for path, tensor in tensors.items()
        for a in range(tensor.ndim)
        for b in range(a)
        if tensor.shape[a] == tensor.shape[b] > 1
    ]
    if not places:
        return None
    path, a, b = random.choice(places)
    return {path: tensors[path].transpose(a, b).clone()}


def moved_blocks(axis: int) -> Mutation:
    """Two blocks along an axis change places: rows, gates, heads, groups."""

    def mutation(tensors: Tensors, random: Random) -> dict[str, Tensor] | None:
        fitting = [path for path, tensor in tensors.items() if tensor.ndim > axis and tensor.shape[axis] > 1]
        if not fitting:
            return None
        path = random.choice(fitting)
        size = tensors[path].shape[axis]
        count = random.choice([n for n in range(2, size + 1) if size % n == 0])
        blocks = list(tensors[path].chunk(count, axis))
        i, j = random.sample(range(count), 2)
        blocks[i], blocks[j] = blocks[j], blocks[i]
        return {path: torch.cat(blocks, axis)}

    return mutation


def halved(tensors: Tensors, random: Random) -> dict[str, Tensor] | None:
    """A tensor went through float16."""
    path = random.choice(list(tensors))
    return {path: tensors[path].half().to(tensors[path].dtype)}


def flipped(tensors: Tensors, random: Random) -> dict[str, Tensor] | None:
    """An axis runs the other way."""
    path = random.choice(list(tensors))
    return {path: tensors[path].flip(random.randrange(tensors[path].ndim))}


MUTATIONS: dict[str, Mutation] = {
    "one number by 1e-4": nudged,
    "two tensors exchanged": exchanged,
    "transposed": transposed,
    "rows exchanged": moved_blocks(0),
    "columns exchanged": moved_blocks(1),
    "through float16": halved,
    "flipped": flipped,
}
TRIES = 10


def broken(module: nn.Module, carried: set[str], name: str, random: Random) -> Broken | None:
    """A mutation that changes some number; None if there is none.

    Args:
        module: the module to be broken; it stays as it is.
        carried: paths of the tensors that have a partner.
        name: a key of `MUTATIONS`.
        random: chooses.
    """
    state = module.state_dict()
    tensors = {path: state[path] for path in sorted(carried) if state[path].is_floating_point() and state[path].ndim}
    for _ in range(TRIES):
        made = MUTATIONS[name](tensors, random)
        if made and not all(torch.equal(value, tensors[path]) for path, value in made.items()):
            return Broken(name, tuple(made), tuple(made.values()))
    return None
