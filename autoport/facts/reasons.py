"""Reasons: a code, and the operands of its sentence. One table turns codes into sentences.

    Reason.of(Code.AUTOMORPHIC, choices=2)      "automorphic: 2 choices that give the same function, ..."

Codes stand in the JSON of a report, so they stay as they are; sentences may be reworded at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Code(str, Enum):
    """Every reason that autoport gives."""

    # Why two operations are a pair.
    SAME_AROUND = "same_around"
    SAME_ABOVE = "same_above"
    SAME_BELOW = "same_below"
    ALONE_ABOVE = "alone_above"
    ALONE_BELOW = "alone_below"
    BETWEEN_PAIRS = "between_pairs"
    ON_THE_WAY = "on_the_way"
    TOLD_BY_PARAMETERS = "told_by_parameters"
    TOLD_BY_EDGES = "told_by_edges"
    TOLD_BY_PORT = "told_by_port"
    AUTOMORPHIC = "automorphic"
    HINTED = "hinted"
    PROVED = "proved"
    IN_TRAINING = "in_training"
    # Why an operation or a tensor has no partner.
    TWO_READINGS = "two_readings"
    SEVERAL_PARTNERS = "several_partners"
    OTHER_NUMBER = "other_number"
    NO_PARTNER = "no_partner"
    NO_READER = "no_reader"
    DEAD = "dead"
    COMPUTED = "computed"
    # Why a weight of matched operations is refused.
    ROLE = "role"
    NO_SUCH_WEIGHT = "no_such_weight"
    EQUAL_SIZES = "equal_sizes"
    OTHER_AXES = "other_axes"
    ORDER_LOST = "order_lost"
    ORDER_UNKNOWN = "order_unknown"
    REARRANGED = "rearranged"
    OTHER_OPERANDS = "other_operands"
    OTHER_AXIS = "other_axis"
    LONE_NORM = "lone_norm"
    LONE_BIAS = "lone_bias"
    # Why a plan leaves a tensor out.
    PART_MISSING = "part_missing"
    PART_CARRIED = "part_carried"
    NO_PLACE = "no_place"
    SOURCES_DIFFER = "sources_differ"
    ONE_TENSOR = "one_tensor"
    SHARED_OTHERWISE = "shared_otherwise"
    BIAS_REACHES_OUTPUT = "bias_reaches_output"
    BIAS_WITHOUT_MEAN = "bias_without_mean"
    BIAS_BEFORE_NORM = "bias_before_norm"
    # What shows that something is the cause of a divergence, and what a wrong tensor holds.
    AGREES_WITH_VALUE = "agrees_with_value"
    AGREES_WITH_TENSOR = "agrees_with_tensor"
    LOCATED = "located"
    NOT_LOCATED = "not_located"
    SMALLER_ERROR = "smaller_error"
    STILL_DIFFERS = "still_differs"
    NOTHING_ELSE = "nothing_else"
    VALUES_UNCOMPARED = "values_uncompared"
    NOT_CARRIED = "not_carried"
    WRONG_TENSOR = "wrong_tensor"
    WRONG_BECAUSE = "wrong_because"
    HOLDS_ANOTHER = "holds_another"
    AXES_EXCHANGED = "axes_exchanged"
    UNSEEN = "unseen"
    # What makes one of two values the other.
    VIEWED = "viewed"
    TRANSPOSED = "transposed"
    FLIPPED = "flipped"
    ROLLED = "rolled"
    SHIFTED = "shifted"
    SHUFFLED = "shuffled"
    REORDERED = "reordered"
    TAKEN_AT_STEPS = "taken_at_steps"
    MULTIPLE = "multiple"
    MULTIPLE_AND_MORE = "multiple_and_more"
    MULTIPLE_BY_CHANNEL = "multiple_by_channel"
    FUNCTION_OF = "function_of"
    NOT_FINITE = "not_finite"
    SIZES_DIFFER = "sizes_differ"
    AGREES_WITH_CAST = "agrees_with_cast"
    AGREES_WITHOUT_CAST = "agrees_without_cast"
    AGREES_WITHOUT_STATE = "agrees_without_state"
    AGREES_EXCHANGED = "agrees_exchanged"
    # Why a weight cannot show.
    CANNOT_SHOW = "cannot_show"
    KEY_BIAS = "key_bias"
    REMOVED_BIAS = "removed_bias"
    # What a proof could not look at as closely.
    IN_FLOAT32 = "in_float32"
    ROUNDED_CONSTANTS = "rounded_constants"
    ROUNDING_ALLOWED = "rounding_allowed"
    ROUNDING_NEEDED = "rounding_needed"
    TRAINING_DIFFERS = "training_differs"
    ON_DRAW = "on_draw"
    PADDED_ONLY = "padded_only"
    DRAWS_LEFT_OUT = "draws_left_out"
    MASK_PARAMETER = "mask_parameter"
    GIVEN_APART = "given_apart"
    # What a caller sees of outputs.
    OTHER_LAYOUT = "other_layout"
    OTHER_SHAPE = "other_shape"
    IN_PARTS = "in_parts"
    IN_STACK = "in_stack"
    OUTPUT_LAYOUT = "output_layout"
    OUTPUT_MISSING = "output_missing"
    OUTPUTS_EXCHANGED = "outputs_exchanged"
    MORE_OUTPUTS = "more_outputs"
    INVALID = "invalid"
    # Why a tensor of a plan belongs where it does, and what a file of a plan says itself.
    BELONGS = "belongs"
    QUOTED = "quoted"

    def __str__(self) -> str:
        return self.value


# Several partners fit, so none was taken.
AMBIGUOUS = {Code.TWO_READINGS, Code.SEVERAL_PARTNERS, Code.OTHER_NUMBER}
SENTENCES: dict[Code, str] = {
    Code.SAME_AROUND: "same structure above and below",
    Code.SAME_ABOVE: "same structure above",
    Code.SAME_BELOW: "same structure below",
    Code.ALONE_ABOVE: "same structure above, and nothing else of its sizes",
    Code.ALONE_BELOW: "same structure below, and nothing else of its sizes",
    Code.BETWEEN_PAIRS: "reads the same operations and is read by the same one",
    Code.ON_THE_WAY: "on the way between matched operations",
    Code.TOLD_BY_PARAMETERS: "same structure, told apart by hyper-parameters",
    Code.TOLD_BY_EDGES: "same structure, told apart by what lies on the way to their neighbours",
    Code.TOLD_BY_PORT: "same structure, told apart by the position among the model's inputs or outputs",
    Code.AUTOMORPHIC: "automorphic: {choices} choices that give the same function, the first was taken",
    Code.HINTED: "named by a hint",
    Code.PROVED: "proved by running both models",
    Code.IN_TRAINING: "{reason}, in training mode",
    Code.TWO_READINGS: "ambiguous: counted from the inputs and from the outputs it belongs to different operations",
    Code.SEVERAL_PARTNERS: "ambiguous: {number} operations of the other model fit equally well",
    Code.OTHER_NUMBER: "ambiguous: one of several equal operations, of which the other model has another number",
    Code.NO_PARTNER: "no operation of the other model matches",
    Code.NO_READER: "not read by the forward pass",
    Code.DEAD: "no output depends on it",
    Code.COMPUTED: "a weight is computed in the forward pass; if the other model stores it, store it here, too "
    "(torch.nn.utils.parametrize.remove_parametrizations)",
    Code.ROLE: "{role}: {reason}",
    Code.NO_SUCH_WEIGHT: "the other model's operation has no such weight, and no constant stands for it",
    Code.EQUAL_SIZES: "several axes of one size: their order cannot be told from the structure",
    Code.OTHER_AXES: "axes ({tf}) and ({torch}) cannot be told to be the same",
    Code.ORDER_LOST: "the order of its features cannot be followed to it",
    Code.ORDER_UNKNOWN: "the order in which its input was flattened is known on neither side",
    Code.REARRANGED: "what lies between it and its neighbour arranges channels differently",
    Code.OTHER_OPERANDS: "{tf} and {torch} put their operands in another order",
    Code.OTHER_AXIS: "its axis {axis} lies along another axis of the data",
    Code.LONE_NORM: "{norm} behind it has no partner, and may be folded into it",
    Code.LONE_BIAS: "the bias of {biased} in front of it has no partner, and may be part of it",
    Code.PART_MISSING: "only a part of the tensor has a source",
    Code.PART_CARRIED: "only a part of it is carried over: {reason}",
    Code.NO_PLACE: "the target has no place for it",
    Code.SOURCES_DIFFER: "{sources: and } belong here, and differ",
    Code.ONE_TENSOR: "{tensor} is one tensor: {reason}",
    Code.SHARED_OTHERWISE: "{tensor} is shared otherwise: {reason}",
    Code.BIAS_REACHES_OUTPUT: "the target has no such bias, and it reaches an output of the model",
    Code.BIAS_WITHOUT_MEAN: "the target has no such bias, and {norm} has no mean that could take it",
    Code.BIAS_BEFORE_NORM: "the target has no such bias, and {operation} stands before any norm",
    Code.AGREES_WITH_VALUE: "computed with Keras' value, PyTorch agrees",
    Code.AGREES_WITH_TENSOR: "given the tensor that belongs there, PyTorch agrees",
    Code.LOCATED: "the values part here, between two operations",
    Code.NOT_LOCATED: "every place by itself agrees, so it is not located",
    Code.SMALLER_ERROR: "with Keras' value the error falls to {error:.2g}",
    Code.STILL_DIFFERS: "by structure; computed with Keras' value, PyTorch still differs",
    Code.NOTHING_ELSE: "by structure; nothing else is known to differ here",
    Code.VALUES_UNCOMPARED: "both sides have one, whose values structure does not compare",
    Code.NOT_CARRIED: "{tensor} was not carried: {reason}",
    Code.WRONG_TENSOR: "{tensor} differs by up to {difference:.3g}",
    Code.WRONG_BECAUSE: "{wrong}: {reason}",
    Code.HOLDS_ANOTHER: "it holds what belongs to {tensor}",
    Code.AXES_EXCHANGED: "its axes {first} and {second} are exchanged",
    Code.UNSEEN: "it does not show on these inputs",
    Code.VIEWED: "seen as axes of {sizes}, and read with them in the order {order}, Keras' value is PyTorch's",
    Code.TRANSPOSED: "with its axes in the order {order}, Keras' value is PyTorch's",
    Code.FLIPPED: "along axis {axis}, PyTorch's value is Keras' from the end",
    Code.ROLLED: "along axis {axis}, PyTorch's value is Keras' rolled by {steps}",
    Code.SHIFTED: "along axis {axis}, PyTorch's value is Keras' moved by {steps}; the border is another one",
    Code.SHUFFLED: "along axis {axis}, the channels are shuffled by these numbers of groups",
    Code.REORDERED: "along axis {axis}, PyTorch's value is Keras' at the positions {places}",
    Code.TAKEN_AT_STEPS: "the features are those of the sequence at these steps",
    Code.MULTIPLE: "PyTorch's value is {factor:.6g} times Keras'",
    Code.MULTIPLE_AND_MORE: "PyTorch's value is {factor:.6g} times Keras' plus {offset:.6g}",
    Code.MULTIPLE_BY_CHANNEL: "along axis {axis}, PyTorch's value is Keras' times one number plus another at each "
    "position",
    Code.FUNCTION_OF: "{side} has the value of {other}, {function}",
    Code.NOT_FINITE: "{number} of {total} numbers are NaN or infinite in {side} only",
    Code.SIZES_DIFFER: "no order of its axes makes one value fit the other",
    Code.AGREES_WITH_CAST: "cut to whole numbers first, PyTorch agrees",
    Code.AGREES_WITHOUT_CAST: "without its cast, PyTorch agrees",
    Code.AGREES_WITHOUT_STATE: "with zeros in place of the state in {tensor}, PyTorch agrees",
    Code.AGREES_EXCHANGED: "with {first} and {second} of its input exchanged, PyTorch agrees",
    Code.CANNOT_SHOW: "{wrong} ({reason})",
    Code.KEY_BIAS: "the bias of a key adds the same to every score that a softmax compares",
    Code.REMOVED_BIAS: "the norm behind it works on each channel by itself and removes a bias",
    Code.IN_FLOAT32: "computed in float32: {operations}",
    Code.ROUNDED_CONSTANTS: "constants that were rounded to float32 when they were made: {constants}",
    Code.ROUNDING_ALLOWED: "{number} places were held to {multiple} times what float32 rounding does to the Keras "
    "value there, at most {largest:.2g}",
    Code.ROUNDING_NEEDED: "{number} places agree only within what rounding does; the first: {first}",
    Code.TRAINING_DIFFERS: "what differs in training only: {number}; the first is {first}",
    Code.ON_DRAW: "the models agree on the first draw of inputs; what differs shows on one that is {draw}",
    Code.PADDED_ONLY: "the models agree on inputs without padding, and differ on inputs {draw}",
    Code.DRAWS_LEFT_OUT: "one of the models does not run on inputs that are {draws}, so they prove nothing",
    Code.MASK_PARAMETER: "the Keras model reads from its inputs which steps are padding; the PyTorch model agrees if "
    "it is told by {parameter}, and not without",
    Code.GIVEN_APART: "the input that {reader} reads was given apart, and is what Keras computes for {place}",
    Code.OTHER_LAYOUT: "{tf} in Keras, {torch} in PyTorch",
    Code.OTHER_SHAPE: "shape {tf} in Keras, {torch} in PyTorch",
    Code.IN_PARTS: "one tensor in Keras, one for each place of its first axis in PyTorch",
    Code.IN_STACK: "one of the places of the first axis of a tensor in PyTorch",
    Code.OUTPUT_LAYOUT: "{output} hold the same in another layout: {reason}",
    Code.OUTPUT_MISSING: "the other model does not return it",
    Code.OUTPUTS_EXCHANGED: "they hold the same, but a caller finds another output at this place",
    Code.MORE_OUTPUTS: "{number} further outputs of {model} have no counterpart",
    Code.INVALID: "{tf} numbers are NaN in Keras and {torch} in PyTorch, so they prove nothing",
    Code.BELONGS: "{roles} of {tf} and {torch}: {reason}",
    Code.QUOTED: "{text}",
}


class Several(tuple[Any, ...]):
    """Operands of one kind; a sentence says what to put between them: `{sources: and }`, else a comma."""

    def __format__(self, joint: str) -> str:
        return (joint or ", ").join(map(str, self))


@dataclass(frozen=True)
class Size:
    """An axis and its size."""

    axis: str
    size: int

    def __str__(self) -> str:
        return f"{self.axis}={self.size}"


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        code: the kind of reason.
        operands: by the name that its sentence uses: places, paths, roles, numbers, other reasons.

    Example:
        >>> str(Reason.of(Code.SEVERAL_PARTNERS, number=2))
        'ambiguous: 2 operations of the other model fit equally well'
    """

    code: Code
    operands: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, code: Code, **operands: Any) -> Reason:
        """A reason with its operands by name."""
        return cls(code, tuple(operands.items()))

    @property
    def details(self) -> Mapping[str, Any]:
        """The operands by name."""
        return dict(self.operands)

    @property
    def is_ambiguous(self) -> bool:
        """Whether several partners fit equally well."""
        return self.code in AMBIGUOUS

    def __str__(self) -> str:
        return SENTENCES[self.code].format(**self.details)

    def __repr__(self) -> str:
        return f"<{self.code}: {self}>"
