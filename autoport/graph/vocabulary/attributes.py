"""Attributes that several kinds share."""

from __future__ import annotations

from collections.abc import Iterable

from autoport.graph.vocabulary.kind import Attribute, Use

_COMPARED = [
    Attribute("activation", tells_apart=True),
    Attribute("align_corners", argument="align_corners", member="align_corners"),
    Attribute("alpha", 1.0, argument="alpha", member="alpha"),
    Attribute("approximate", argument="approximate", member="approximate"),
    Attribute("beta", 1, argument="beta", member="beta"),
    Attribute("constant"),
    Attribute("constant_first", False),
    Attribute("count_include_pad", None, member="count_include_pad"),
    Attribute("descending"),
    Attribute("dilation", 1, tells_apart=True, plain=1, argument="dilation", member="dilation"),
    Attribute("dropout", 0.0, argument="dropout_p"),
    Attribute("epsilon", tells_apart=True, argument="eps", member="eps", on_some_inputs=True),
    Attribute("factor"),
    Attribute("groups", None, tells_apart=True, plain=1, argument="num_groups"),
    Attribute("high", float("inf"), on_some_inputs=True),
    Attribute("kernel_size", None, tells_apart=True, plain=1),
    Attribute("low", float("-inf"), on_some_inputs=True),
    Attribute("mask_zero", False, on_some_inputs=True),
    Attribute("masked", False, on_some_inputs=True),
    Attribute("mode"),
    Attribute("momentum", None, training_only=True, member="momentum"),
    Attribute("negative_slope", argument="negative_slope", member="negative_slope"),
    Attribute("normalize", False),
    Attribute("order"),
    Attribute("output_size"),
    Attribute("pad_value", None, on_some_inputs=True),
    Attribute("padding", 0, tells_apart=True, plain=0, member="padding"),
    Attribute("recurrent_activation", None),
    Attribute("reset_after", None, tells_apart=True),
    Attribute("reverse"),
    Attribute("scale", argument="scale"),
    Attribute("stride", 1, tells_apart=True, plain=1, argument="stride", member="stride"),
    Attribute("subscripts"),
    Attribute("threshold", 20, on_some_inputs=True),
    Attribute("training", False, argument="training"),
    Attribute("transposed"),
    Attribute("value", on_some_inputs=True),
]
_LAYOUT = [
    Attribute("amounts", use=Use.LAYOUT, by_dim="padding"),
    Attribute("axes", use=Use.LAYOUT),
    Attribute("axis", use=Use.LAYOUT, by_dim="over"),
    Attribute("binds", use=Use.LAYOUT),
    Attribute("dims", use=Use.LAYOUT, by_dim="over"),
    Attribute("equation", use=Use.LAYOUT),
    Attribute("layout", use=Use.LAYOUT),
    Attribute("outputs", use=Use.LAYOUT),
    Attribute("position", use=Use.LAYOUT),
    Attribute("projected", use=Use.LAYOUT),
    Attribute("ranges", use=Use.LAYOUT, by_dim="taken"),
    Attribute("sequence", use=Use.LAYOUT),
    Attribute("shifts", use=Use.LAYOUT, by_dim="rolled"),
    Attribute("tokens", use=Use.LAYOUT),
]
_DERIVED = [
    Attribute("fill", use=Use.DERIVED),
    Attribute("lost", use=Use.DERIVED),
    Attribute("num_heads", None),
    Attribute("number", use=Use.DERIVED),
    Attribute("one_hot", use=Use.DERIVED),
    Attribute("over", None),
    Attribute("reads", use=Use.DERIVED),
    Attribute("rolled", None),
    Attribute("run", use=Use.DERIVED),
    Attribute("step", use=Use.DERIVED),
    Attribute("stored", use=Use.DERIVED),
    Attribute("taken", None),
    Attribute("unordered", use=Use.DERIVED),
    Attribute("values", None),
]
SHARED = {attribute.name: attribute for attribute in (*_COMPARED, *_LAYOUT, *_DERIVED)}
# Attributes that the analysis of axes may add to any operation.
NOTED = tuple(SHARED[name] for name in ("lost", "reads", "unordered"))


def attribute_list(names: str = "", *own: Attribute) -> Iterable[Attribute]:
    """Shared attributes by name (space separated), a kind's own ones, and those that the analysis of axes adds."""
    return (*(SHARED[name] for name in names.split()), *own, *NOTED)
