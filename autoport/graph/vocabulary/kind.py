"""The declaration of a kind of operation: its attributes, roles of its weights, how it moves positions, its traits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from autoport.graph.vocabulary.moves import UNKNOWN, Moves

# The default of an attribute that declares none.
NOTHING = object()


class Use(Enum):
    """The use of an attribute: a hyper-parameter, a matter of layout, or derived from others."""

    COMPARED = "compared"
    LAYOUT = "layout"
    DERIVED = "derived"


@dataclass(frozen=True)
class Attribute:
    """An attribute of an operation.

    Attributes:
        name: its key in `Op.attrs`.
        default: its value where an operation does not have it; if None, it is not compared there.
        use: whether it is compared as a hyper-parameter, is a matter of layout, or follows from others.
        training_only: whether inference does not depend on it.
        tells_apart: whether it tells operations of equal structure apart.
        plain: the number at which an operation may as well not have it.
        by_dim: the attribute that holds the same with names of axes in place of dimensions.
        on_some_inputs: whether it acts on some inputs only, so that a run on others tells nothing of it.
        argument: what a torch function calls it.
        member: what a torch module calls it.
    """

    name: str
    default: Any = NOTHING
    use: Use = Use.COMPARED
    training_only: bool = False
    tells_apart: bool = False
    plain: float | None = None
    by_dim: str | None = None
    on_some_inputs: bool = False
    argument: str | None = None
    member: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Kind(str):
    """A kind of operation: a text that carries its declaration.

    Attributes:
        name: in the shared vocabulary; equal and hashed like this text.
        family: what it is listed under.
        arity: least and largest number of operands; None for any number.
        attributes: those it may have, by name.
        roles: of the weights it may read, without gates and segments.
        moves: how it moves positions.
        declared: False for what only a framework has a name for: nothing is assumed of it.
        is_pointwise: every element of the result depends on the elements in its place only.
        is_activation: it is used as an activation.
        is_arithmetic: operands and result have the same axes, so that each can name the other's.
        is_affine: arithmetic that with a number shifts or scales.
        adds: it adds its operands, or a number.
        undoes: with a number, the kind that it is with the opposite number.
        scales: with a number it multiplies or divides by it.
        is_commutative: the order of its operands does not count.
        is_shape_only: it moves values to other dimensions, each once.
        is_silent: it is left out where operations are compared.
        is_drawn: it is shown in drawings, also without weights.
        is_structural: it is a node of the skeleton, also without weights.
        is_layer: its weights lie along the features that it reads or makes.
        is_norm: it is a normalisation.
        is_pool: it makes one of the positions in every window.
        is_product: it is a product of two values, summed over axes that they share.
        is_join: it puts its operands side by side.
        is_attention: it is attention in one operation.
        is_preprocessing: it has no twin in PyTorch.
        is_random: two of the same are not the same.
        only_in_training: it does nothing at inference.
        is_non_negative: its result is never negative.
        keeps_sign: its result is not negative where its operands are not.
        passes_shifts: a shift of every channel comes through as it is.
        ignores_shifts: what is added to every position along its axes alike does not show.
        reduces: it makes one of all positions along some dimensions, in any order.
        mixes: it sums over the features it reads: behind it their order is forgotten.
        passes_axes: axes that it does not sum over come through, whatever their shape.
        computes_weights: it computes a weight, or reads one that is computed.
        named_alone: what the difference is called if only one model has it.
        gates: of a recurrent cell, by PyTorch's letters.
        on_numbers: what it computes of numbers.
    """

    name: str
    family: str = ""
    arity: tuple[int, int | None] = (0, None)
    attributes: Mapping[str, Attribute] = field(default_factory=lambda: MappingProxyType({}))
    roles: tuple[str, ...] = ()
    moves: Moves = UNKNOWN
    declared: bool = True
    is_pointwise: bool = False
    is_activation: bool = False
    is_arithmetic: bool = False
    is_affine: bool = False
    adds: bool = False
    undoes: str = ""
    scales: bool = False
    is_commutative: bool = False
    is_shape_only: bool = False
    is_silent: bool = False
    is_drawn: bool = True
    is_structural: bool = False
    is_layer: bool = False
    is_norm: bool = False
    is_pool: bool = False
    is_join: bool = False
    is_product: bool = False
    is_attention: bool = False
    is_preprocessing: bool = False
    is_random: bool = False
    only_in_training: bool = False
    is_non_negative: bool = False
    keeps_sign: bool = False
    passes_shifts: bool = False
    ignores_shifts: bool = False
    reduces: bool = False
    mixes: bool = False
    passes_axes: bool = False
    computes_weights: bool = False
    named_alone: str = ""
    gates: str = ""
    on_numbers: Callable[..., Any] | None = None

    def __new__(cls, name: str, *args: Any, **kwargs: Any) -> Kind:
        """The text."""
        return super().__new__(cls, name)

    @property
    def is_recurrent(self) -> bool:
        """Whether it is a recurrent layer."""
        return bool(self.gates)

    @property
    def is_input(self) -> bool:
        """Whether it is an input of the model."""
        return self.is_structural and not self.is_layer

    @property
    def is_parameter(self) -> bool:
        """Whether it is a stored tensor that is read as data."""
        return "value" in self.roles

    @property
    def is_lookup(self) -> bool:
        """Whether it looks up rows of a stored table."""
        return "embedding" in self.roles

    @property
    def has_statistics(self) -> bool:
        """Whether it normalises by a stored mean and variance."""
        return "mean" in self.roles

    @property
    def is_merge(self) -> bool:
        """Whether it joins values in a way that may be nested: a + (b + c), concat(concat(a, b), c)."""
        return self.is_commutative or self.is_join

    @property
    def own_attributes(self) -> tuple[Attribute, ...]:
        """Attributes that say what an operation computes, without those that follow from others."""
        return tuple(attribute for attribute in self.attributes.values() if attribute.use is not Use.DERIVED)

    def attribute(self, name: str) -> Attribute:
        """The declaration of an attribute; an undeclared one is compared."""
        return self.attributes.get(name) or Attribute(name)
