"""Advice for every row: how to fix what it reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoport.graph.vocabulary.attributes import SHARED
from autoport.report.rows.rows import Row
from autoport.report.rows.tensors import Status
from autoport.verify.verification import UNKNOWN

SETTABLE = "set `{attribute}` of {torch} to {value}; match.reconcile() does it"
# Advice by name of a difference or cause. `{value}` is that of the Keras model.
ADVICE: Mapping[str, str] = {
    **{name: SETTABLE.replace("{attribute}", a.member) for name, a in SHARED.items() if a.member is not None},
    "padding": "give {torch} the padding {value} (F.pad in front where it is not symmetric); match.reconcile() does it",
    "pad_value": "pad with {value} in front of {torch}",
    "threshold": "set `threshold` of {torch} to {value}",
    "momentum": "no matter for inference; to train alike set `momentum` of {torch} to {value}",
    "scale": "scale the attention scores of {torch} by {value}",
    "mask_zero": "hide positions of token 0 in PyTorch with a mask, or drop `mask_zero` in Keras",
    "mask": "give both models the same mask, or none",
    "masked": "give both models a mask, or neither",
    "training": "put both models in evaluation mode",
    "reset_after": "build the Keras GRU with reset_after=True; PyTorch has no other kind",
    "recurrent_activation": "build the Keras layer with recurrent_activation='sigmoid'; PyTorch has no other",
    "activation": "use {value} in PyTorch where it has {torch_value}; match.reconcile() does it where both have one",
    "softmax": "one model returns probabilities, the other logits: add or drop the softmax (at the outputs "
    "match.reconcile(logits=True) does it), or compare the same",
    "dropout": "one model drops out where the other does not; put both in evaluation mode",
    "operation": "compute {value} in PyTorch where it has {torch_value}",
    "operand order": "give {torch} its operands in the order of the Keras model",
    "preprocessing": "do in front of the PyTorch model what the Keras model does itself: {value}",
    "weights": "carry the weights over again: match.assign()",
    "axis": "let {torch} work along the same axis: {value}",
    "shape": "look at sizes and padding in front: {torch} should make {value}",
    "inputs": "hand the inputs over in the other model's order",
    "outputs": "compare the outputs by what they are, not by their place",
    "values": "use the same constant: {value}",
    "low": "clamp at {value}",
    "high": "clamp at {value}",
    "taken": "take the same slice: {value}",
    "over": "reduce along the same axes: {value}",
    UNKNOWN: "nothing that is known to differ explains it: compare what both layers compute",
}
OTHERWISE = "make {torch} agree: {value} in Keras"
BY_STATUS: Mapping[Status, str] = {
    Status.TF_ONLY: "add to the PyTorch model what computes this, drop it from the Keras model, or port the rest: "
    "match.assign(strict=False)",
    Status.TORCH_ONLY: "drop it from the PyTorch model, add its twin to the Keras model, or port the rest: "
    "match.assign(strict=False)",
    Status.AMBIGUOUS: "let numbers decide: match.settle(); or name its partner: "
    "autoport.match(..., hints=[(Keras path, PyTorch path)])",
}


def advice(row: Row) -> list[str]:
    """What to do about a row, one sentence each.

    Args:
        row: any row of a report.

    Example:
        >>> advice(row)  # doctest: +SKIP
        ['set `eps` of layer1.0.bn1 to 0.001; match.reconcile() does it']
    """
    if row.unread:
        return ["nothing: no forward pass reads it"]
    if row.spelled:
        return ["nothing: both models compute the same, and one of them without it"]
    return list(dict.fromkeys(_advice(row)))


def _advice(row: Row) -> Iterator[str]:
    if row.one_sided:
        yield BY_STATUS[row.status]
    own = {difference.name for difference in row.differences}
    disagreements = [(d.name, d.tf_value, d.torch_value) for d in row.differences]
    disagreements += [(cause.name, cause.tf_value, cause.torch_value) for cause in row.causes]
    for name, tf_value, torch_value in dict.fromkeys(disagreements):
        # A cause that is not a difference of the row lies between it and the compared places in front of it.
        place = row.torch if name in own else f"what feeds {row.torch}"
        text = ADVICE.get(name, OTHERWISE)
        yield text.format(torch=place, value=tf_value or "nothing", torch_value=torch_value or "nothing")
