"""One row for each stored tensor pair: roles that share their tensors are folded into one line.

A recurrent layer reads its kernel as one role for each gate. Here those roles become one row again:

    kernel_i, kernel_f, kernel_g, kernel_o     i (gate u) -> (gate u) i
    kernel_z, kernel_r, kernel_n               i (gate u) -> (gate u) i [gate=0,1,2 -> gate=1,0,2]
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from autoport.facts.framework import Framework
from autoport.graph import Tensor
from autoport.weights.pair import WeightPair, neutral_value
from autoport.weights.piece import Piece, parse_pattern
from autoport.weights.role import Role


class Status(str, Enum):
    """The status of a row, as a diff marks it."""

    SAME = "="
    TRANSFORMED = "~"
    DIFFERENT = "!"
    TF_ONLY = "-"
    TORCH_ONLY = "+"
    AMBIGUOUS = "?"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Transform:
    """The transform from Keras tensors to PyTorch tensors, in layouts as einops writes them.

    Attributes:
        steps: pairs of a source layout and a target layout; several where roles have different ones.
        selected: indices that are read, and that are written, along selected axes; empty if each stays in its place.
        absorbing: paths of Keras biases that are subtracted.
        carriers: paths of the PyTorch tensors that carry a Keras tensor without a partner.

    Example:
        >>> str(Transform((("i o", "o i"),)))
        'i o -> o i'
    """

    steps: tuple[tuple[str, str], ...]
    selected: tuple[str, str] = ("", "")
    absorbing: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()

    @property
    def moves_nothing(self) -> bool:
        """Whether both sides have the same layout."""
        return all(source == target for source, target in self.steps)

    @property
    def anonymous(self) -> Transform:
        """The same transform without paths of tensors."""
        return replace(self, absorbing=("",) * bool(self.absorbing), carriers=("",) * bool(self.carriers))

    def __str__(self) -> str:
        indices = " -> ".join(filter(None, self.selected))
        return "; ".join(map(self._step, self.steps)) + (f" [{indices}]" if indices else "")

    def _step(self, step: tuple[str, str]) -> str:
        source, target = step
        written = f"absorbed by {', '.join(self.carriers)}" if self.carriers else target
        return f"{' - '.join((source, *self.absorbing))} -> {written}"


@dataclass(frozen=True)
class TensorRow:
    """Stored tensors that hold the same thing.

    Attributes:
        status: `SAME` for a copy or a plain transposition of one tensor, `TRANSFORMED` for anything else.
        roles: in which the operation reads them: `kernel`, `bias`, `kernel_i`, ...
        tf: tensors of the Keras model; empty where it has none.
        torch: tensors of the PyTorch model; empty where it has none.
        transform: from Keras to PyTorch; None where there is no partner.
    """

    status: Status
    roles: tuple[Role, ...]
    tf: tuple[Tensor, ...]
    torch: tuple[Tensor, ...]
    transform: Transform | None = None

    @property
    def expression(self) -> str:
        """The transform in one line; empty where there is no partner."""
        return str(self.transform or "")

    @property
    def is_copy(self) -> bool:
        """Whether the tensor is copied without any transform."""
        return self.status is Status.SAME and self.transform is not None and self.transform.moves_nothing


@dataclass(frozen=True)
class Tensors:
    """All tensors of a match, with what rows need to know of them.

    Attributes:
        tf: tensors of the Keras model by path.
        torch: tensors of the PyTorch model by path.
        lost: sides and paths of tensors that are not ported; they have rows of their own.
        absorbed: by path of a Keras bias, the PyTorch tensors that carry it.
        absorbing: by path of a PyTorch tensor, the Keras biases that it carries.
    """

    tf: Mapping[str, Tensor]
    torch: Mapping[str, Tensor]
    lost: Container[tuple[str, str]]
    absorbed: Mapping[str, Sequence[str]]
    absorbing: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class _Atom:
    """One role, or one summand of it where both sides have equally many."""

    role: Role
    tf: tuple[Piece, ...]
    torch: tuple[Piece, ...]

    @property
    def tensors(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return _paths(self.tf), _paths(self.torch)

    @property
    def patterns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(p.pattern for p in self.tf), tuple(p.pattern for p in self.torch)


def tensor_rows(weights: Iterable[WeightPair], tensors: Tensors) -> tuple[TensorRow, ...]:
    """Rows of a pair of operations.

    Args:
        weights: its weights by role.
        tensors: all tensors of the match.

    Returns:
        One row for each combination of stored tensors, without those that are not ported.
    """
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[_Atom]] = {}
    for atom in _atoms(weights):
        if not _is_lost(atom, tensors):
            groups.setdefault(atom.tensors, []).append(atom)
    return tuple(_row(atoms, tensors) for atoms in groups.values())


def _atoms(weights: Iterable[WeightPair]) -> Iterable[_Atom]:
    for pair in weights:
        tf = pair.tf.pieces if pair.tf else ()
        torch = pair.torch.pieces if pair.torch else ()
        if len(tf) == len(torch):
            yield from (_Atom(pair.role, (a,), (b,)) for a, b in zip(tf, torch, strict=True))
        else:
            yield _Atom(pair.role, tf, torch)


def _is_lost(atom: _Atom, tensors: Tensors) -> bool:
    tf, torch = atom.tensors
    return any((Framework.TORCH, path) in tensors.lost for path in torch) or (
        not torch and any((Framework.TF, path) in tensors.lost for path in tf)
    )


def _row(atoms: list[_Atom], tensors: Tensors) -> TensorRow:
    tf, torch = atoms[0].tensors
    absorbing = [path for carrier in torch for path in tensors.absorbing.get(carrier, ())]
    transform, plain = _transform(atoms, tensors)
    return TensorRow(
        Status.SAME if plain and not absorbing else Status.TRANSFORMED,
        tuple(dict.fromkeys(atom.role for atom in atoms)),
        tuple(tensors.tf[path] for path in tf),
        tuple(tensors.torch[path] for path in torch),
        replace(transform, absorbing=tuple(dict.fromkeys(absorbing))),
    )


def _transform(atoms: list[_Atom], tensors: Tensors) -> tuple[Transform, bool]:
    """The transform, and whether it is a plain transposition."""
    first = atoms[0]
    if not first.torch:
        carriers = tuple(path for tf in first.tensors[0] for path in tensors.absorbed.get(tf, ()))
        return Transform(((_sum(first.tf), ""),), carriers=carriers), False
    if not first.tf:
        fills = dict.fromkeys(f"{neutral_value(atom.role) or 0.0:g}" for atom in atoms)
        return Transform(((", ".join(fills), _sum(first.torch)),)), False
    narrow = any(piece.narrow for atom in atoms for piece in (*atom.tf, *atom.torch))
    if narrow or len({atom.patterns for atom in atoms}) > 1:
        steps = dict.fromkeys((_sum(atom.tf, True), _sum(atom.torch, True)) for atom in atoms)
        return Transform(tuple(steps)), False
    selected = _selection(atoms)
    plain = len(first.tf) == len(first.torch) == 1 and not any(selected) and _transposes(first)
    return Transform(((_sum(first.tf), _sum(first.torch)),), selected), plain


def _selection(atoms: list[_Atom]) -> tuple[str, str]:
    """The indices along selected axes on both sides; empty where every index stays in its place."""
    sides = [_indices([atom.tf[0] for atom in atoms]), _indices([atom.torch[0] for atom in atoms])]
    covers_all = all(sorted(set(indices)) == list(range(size)) for side in sides for indices, size in side.values())
    if sides[0] == sides[1] and covers_all:
        return "", ""
    tf, torch = (", ".join(f"{axis}={_listed(indices)}" for axis, (indices, _) in side.items()) for side in sides)
    return tf, torch


def _indices(pieces: list[Piece]) -> dict[str, tuple[list[int], int]]:
    return {axis: ([piece.select[axis] for piece in pieces], pieces[0].sizes[axis]) for axis in pieces[0].select}


def _listed(indices: list[int]) -> str:
    return ",".join(map(str, indices if len(set(indices)) > 1 else indices[:1]))


def _transposes(atom: _Atom) -> bool:
    """Whether both layouts have the same dimensions, in any order."""
    tf, torch = (sorted(map(tuple, parse_pattern(pieces[0].pattern))) for pieces in (atom.tf, atom.torch))
    return tf == torch


def _sum(pieces: Iterable[Piece], with_indices: bool = False) -> str:
    return " + ".join(str(piece) if with_indices else piece.pattern for piece in pieces)


def _paths(pieces: Iterable[Piece]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(piece.tensor for piece in pieces))
