"""What an exported program of PyTorch would do when it is read and run.

Reading one looks functions up by name, evaluates sizes and guards as Python, imports what the structure of its inputs
names, unpickles objects and loads compiled libraries. So each of these is compared with what `torch.export.save` writes
for a model that computes only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Members of the archive, below the folder that has its name; and of the archives of PyTorch 2.7.
MEMBERS = re.compile(
    r"(?:[^/]+/)?(?:data/weights/(?:[\w-]+_weights_config\.json|weight_\d+|[\w-]+\.pt)"
    r"|data/constants/(?:[\w-]+_constants_config\.json|tensor_\d+|[\w-]+\.pt)"
    r"|data/sample_inputs/[\w-]+\.pt|models/[\w-]+\.json|extra/[^/]+|archive_format|archive_version|byteorder|\.data/\w+"
    r"|version|serialized_(?:exported_program\.json|(?:state_dict|constants|example_inputs)\.(?:json|pt))|extra_files/.+)"
)
PAYLOADS = re.compile(r"(?:weight|tensor)_\d+")
TARGETS = re.compile(
    r"torch\.ops\.(?:aten|prims)\.\w+\.\w+|math\.\w+|torch\.(?:_sym_\w+|sym_\w+)"
    r"|torch\.ops\.higher_order\.(?:associative_scan|cond|map|map_impl|scan|while_loop|wrap_with_\w+)"
    r"|_operator\.(?:abs|add|and_|eq|floordiv|ge|getitem|gt|le|lshift|lt|matmul|mod|mul|ne|neg|not_|or_|pos|pow|rshift|sub"
    r"|truediv|truth|xor)"
)
# Operations that take a text, which is the name of a method, an equation or a device.
TAKING_TEXT = re.compile(
    r"torch\.ops\.aten\.(?:bucketize|conv[123]d|div_?|divide_?|einsum|fft_\w+|gelu_?|gelu_backward|index_reduce_?"
    r"|istft|linalg_\w+|meshgrid|nanquantile|pad|quantile|scatter_?|scatter_reduce_?|searchsorted|segment_reduce|stft)\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_autocast"
)
# Sizes in the notation of sympy, and conditions on them: what is left when all tokens are taken out is not known.
SIZE_TOKENS = re.compile(
    r"'\w+'|\d+(?:\.\d+)?|[-+*/%<>=!&|~(), ]|\b[fsuz]\d+\b"
    r"|\b(?:Abs|Add|And|CeilDiv|CeilToInt|CleanDiv|Eq|Equality|False|Float|FloatPow|FloatTrueDiv|FloorDiv|FloorToInt|Ge"
    r"|GreaterThan|Gt|IntTrueDiv|Integer|LShift|Le|LessThan|Lt|Max|Min|Mod|ModularIndexing|Mul|Ne|Not|Or|Piecewise|Pow"
    r"|PowByNatural|PythonMod|RShift|Rational|RoundDecimal|RoundToInt|StrictGreaterThan|StrictLessThan|Symbol|ToFloat"
    r"|True|TruncToFloat|TruncToInt|Unequality|Where|ceiling|even|finite|floor|int_oo|integer|negative|nonnegative"
    r"|nonzero|odd|oo|positive|real|sqrt|zero)\b"
)
GUARD_TOKENS = re.compile(
    r"\bL\b|\[(?:'[\w.]+'|\d+)\]|\.(?:size|stride|storage_offset)\(\)|\d+(?:\.\d+)?|[-+*/%<>=!(), ]"
    r"|\b(?:and|or|not|True|False|max|min)\b"
)
STRUCTURES = (
    None, "builtins.dict", "builtins.list", "builtins.tuple", "collections.OrderedDict", "collections.deque",
    "collections.namedtuple",
)  # fmt: skip


def unknown_in_program(members: Iterable[tuple[str, Callable[[], bytes]]]) -> list[str]:
    """What an archive holds that is not known to compute only.

    Args:
        members: names, and functions that read the contents, of which those of `.json` are needed.

    Returns:
        A description of each; empty if all is known.

    Raises:
        ValueError: a member is not JSON.
    """
    found: dict[str, None] = {}
    for name, read in members:
        if not MEMBERS.fullmatch(name):
            found[f"the member {name}"] = None
        elif name.endswith(".json"):
            found.update(dict.fromkeys(_unknown(json.loads(read()))))
    return list(found)


def _unknown(document: Any) -> Iterator[str]:
    """Walks without recursion, because a file may nest as deep as it likes."""
    waiting: list[tuple[Any, str, str]] = [(document, "", "")]
    while waiting:
        value, key, caller = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("target"), str):
                caller = value["target"]
            waiting += [(inner, str(name), caller) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(inner, key, caller) for inner in value]
        elif isinstance(value, str):
            yield from _of_text(value, key, caller)


def _of_text(text: str, key: str, caller: str) -> Iterator[str]:
    if key in ("target", "as_operator") and not TARGETS.fullmatch(text):
        yield f"the function {text}"
    elif key in ("as_string", "as_strings") and not TAKING_TEXT.fullmatch(caller):
        yield f"the text {text!r} for {caller}"
    elif key == "expr_str" and SIZE_TOKENS.sub("", text):
        yield f"the size {text!r}"
    elif key == "guards_code" and GUARD_TOKENS.sub("", text):
        yield f"the condition {text!r}"
    elif key in ("in_spec", "out_spec") and text:
        yield from (f"the structure {kind}" for kind in _structures(json.loads(text)) if kind not in STRUCTURES)
    elif key == "path_name" and not PAYLOADS.fullmatch(text):
        yield f"the object {text}"
    elif key == "class_fqn":
        yield f"an object of the class {text}"


def _structures(spec: Any) -> Iterator[Any]:
    """The types in the structure of inputs or outputs."""
    waiting = [spec]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "type" in value:
                yield str(value["type"]) if value["type"] is not None else None
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
