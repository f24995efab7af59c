"""A plan as Python: numpy, einops, h5py and safetensors, and nothing else.

The script does for each tensor what `autoport.weights.algebra` does. It contains the helpers that the plan needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autoport.errors import IncompleteMatchError, PlanError
from autoport.files.stored_model import StoredModel
from autoport.graph import Tensor
from autoport.graph.op import NARROW
from autoport.plan.entry import Entry
from autoport.plan.plan import Plan
from autoport.script.fold import fold, line, render
from autoport.weights.algebra import Array, Part, Term
from autoport.weights.piece import Piece, parse_pattern

LAYOUTS = {"tf": "keras", "torch": "state_dict"}

HEAD = '''"""{title}

    python convert.py {source_file} {target_file}

{counts}
Only numpy, einops, h5py and safetensors are needed.
"""

import sys

import h5py
import numpy as np
{imports}

def convert(read):
    """Yields each tensor of the target under its name; `read` gives a tensor of the source."""
'''

HELPERS = '''

def view(array, pattern, sizes, index={}, ranges={}):
    """A part of an array, with its named axes in alphabetical order; writing into it writes into the array."""
    names = sorted(name for name in pattern.replace("(", " ").replace(")", " ").split() if name != "1")
    names.sort(key=lambda name: name not in index)
    taken = array[tuple(slice(*ranges[dim]) if dim in ranges else slice(None) for dim in range(array.ndim))]
    spread = rearrange(taken, f"{pattern} -> {' '.join(names)}", **sizes)
    return spread[tuple(index[name] for name in names[: len(index)])]


def fill(shape, dtype, *parts):
    """A tensor made of parts: where each goes, and what goes there."""
    result = np.empty(shape, dtype)
    for place, value in parts:
        view(result, *place)[...] = value
    return result


def agreed(tensor, *parts):
    """A tensor that the target has once and the source several times, with the same values."""
    for place, value in parts:
        assert np.array_equal(view(tensor, *place), value), "tensors that must be equal differ"
    return tensor
'''

READ_H5 = """

def main(source, target):
    tensors = {}
    with h5py.File(source, "r") as file:
        for name, value in convert(lambda key: file[key][()]):
            assert np.isfinite(value).all(), f"{name} would hold NaN or infinity"
            tensors[name] = np.asarray(value, order="C")
    save_file(tensors, target, metadata={"format": "pt"})
"""

READ_SAFETENSORS = """

def main(source, target):
    with safe_open(source, framework="numpy") as file, h5py.File(target, "w") as result:
        result.create_group("vars")
        for name, value in convert(file.get_tensor):
            assert np.isfinite(value).all(), f"{name} would hold NaN or infinity"
            result.create_dataset(name, data=value)
"""

TAIL = """

if __name__ == "__main__":
    main(*sys.argv[1:])
"""
# By target: the import for reading and writing, the main function, and example names of both files.
FORMS = {
    "torch": ("from safetensors.numpy import save_file", READ_H5, "model.weights.h5", "model.safetensors"),
    "tf": ("from safetensors import safe_open", READ_SAFETENSORS, "model.safetensors", "model.weights.h5"),
}


def render_script(plan: Plan) -> str:
    """Writes a plan as a script.

    Args:
        plan: complete, and with dtypes that numpy has.

    Returns:
        Python code, with loops where the structure repeats.

    Raises:
        IncompleteMatchError: the plan leaves something out.
        PlanError: a tensor is of a dtype that numpy lacks, or the plan does not know its name in files.

    Example:
        >>> print(render_script(match.plan()))  # doctest: +SKIP
    """
    if plan.missing:
        raise IncompleteMatchError(plan.missing.items(), plan.unexpected.items())
    lines = _lines(plan)
    body = "\n".join(render(fold([line(text) for text in lines])))
    imports, main, source_file, target_file = FORMS[plan.target.framework]
    needs_helpers = "fill(" in body or "agreed(" in body
    needs_einops = "rearrange(" in body or needs_helpers
    head = HEAD.format(
        title=f"Converts weights of {_label(plan.source)} to {_label(plan.target)}.",
        source_file=source_file,
        target_file=target_file,
        counts=f"{len(plan.entries)} tensors; written by autoport from what it found in both models.",
        imports="\n".join([*(["from einops import rearrange"] if needs_einops else []), imports, ""]),
    )
    return head + body + "\n" + (HELPERS if needs_helpers else "") + main + TAIL


def _label(side: StoredModel) -> str:
    """A model's name, without characters that could end a docstring."""
    name = re.sub(r"[^\w .:-]", "_", side.model)
    return f"{name or 'a model'} ({side.framework})"


def _lines(plan: Plan) -> list[str]:
    """One line of code for each tensor of a file of the target."""
    side, layout = plan.target, LAYOUTS[plan.target.framework]
    names = {name: path for path in side.tensors if (name := side.names.get(path, {}).get(layout))}
    if layout == "state_dict":
        names |= side.aliases
    lines = []
    for name, path in names.items():
        if path in plan.entries:
            lines.append(f"yield {json.dumps(name)}, {_entry(plan, plan.entries[path])}")
        elif path in side.kept:
            lines.append(f"yield {json.dumps(name)}, {_constant(side.kept[path])}")
    return lines


def _constant(values: Array) -> str:
    return f'np.array({json.dumps(np.asarray(values).tolist())}, "{values.dtype.name}")'


def _entry(plan: Plan, entry: Entry) -> str:
    """The expression that computes a tensor."""
    for path in entry.sources:
        _require_plain(plan.source.tensors[path])
    _require_plain(entry.tensor)
    if entry.twins:
        return f"agreed({_compute(plan, entry)},{_parts(plan, entry.twins)}\n)"
    return _compute(plan, entry)


def _compute(plan: Plan, entry: Entry) -> str:
    shape, dtype = entry.tensor.shape, entry.tensor.dtype
    if not entry.sources and len({part.fill for part in entry.parts}) == 1:
        return f'np.full({shape}, {entry.parts[0].fill!r}, "{dtype}")'
    part = _single_part(entry.parts)
    if part is not None:
        return _rearrange(plan, part) + _cast(plan, entry)
    return f'fill(\n    {shape},\n    "{dtype}",{_parts(plan, entry.parts)}\n)'


def _parts(plan: Plan, parts: Sequence[Part]) -> str:
    """Arguments, one a line: the place of each part, and its value."""
    return "".join(f"\n    (({_place(part.target)}), {_value(plan, part)})," for part in parts)


def _require_plain(tensor: Tensor) -> None:
    if tensor.dtype in NARROW:
        raise PlanError(f"{tensor.path} is {tensor.dtype}, which numpy lacks: use `autoport apply` instead of a script")


def _single_part(parts: Sequence[Part]) -> Part | None:
    """The one part that moves a whole tensor into a whole tensor, even if the plan does so index by index; or None."""
    forms = set()
    for part in parts:
        pieces = [part.target, *(term.source for term in part.terms)]
        is_copy = [term.factor for term in part.terms] == [1.0] and pieces[0].select == pieces[1].select
        if not is_copy or any(piece.narrow for piece in pieces):
            return None
        forms.add(tuple((piece.tensor, piece.pattern) for piece in pieces))
    if len(forms) > 1:
        return None
    target, source = (replace(piece, select={}) for piece in (parts[0].target, parts[0].terms[0].source))
    return Part(target, (Term(source),))


def _rearrange(plan: Plan, part: Part) -> str:
    source, target = part.terms[0].source, part.target
    expression = f"read({json.dumps(_key(plan, source.tensor))})"
    if source.pattern == target.pattern:
        return expression
    grouped = [name for names in parse_pattern(source.pattern) if len(names) > 1 for name in names[1:]]
    sizes = "".join(f", {name}={source.sizes[name]}" for name in grouped)
    return f'rearrange({expression}, "{source.pattern} -> {target.pattern}"{sizes})'


def _cast(plan: Plan, entry: Entry) -> str:
    source = entry.parts[0].terms[0].source.tensor
    same = plan.source.tensors[source].dtype == entry.tensor.dtype
    return "" if same else f'.astype("{entry.tensor.dtype}")'


def _key(plan: Plan, path: str) -> str:
    layout = LAYOUTS[plan.source.framework]
    name = plan.source.names.get(path, {}).get(layout)
    if name is None:
        raise PlanError(f"the plan does not say what {path} is called in files of the layout {layout!r}")
    return name


def _value(plan: Plan, part: Part) -> str:
    if not part.terms:
        return repr(part.fill)
    terms = []
    for number, term in enumerate(part.terms):
        sign = ("-" if term.factor < 0 else "") if number == 0 else (" - " if term.factor < 0 else " + ")
        factor = "" if abs(term.factor) == 1 else f"{abs(term.factor)!r} * "
        expression = f"view(read({json.dumps(_key(plan, term.source.tensor))}), {_place(term.source)})"
        terms.append(f"{sign}{factor}{expression}")
    return "".join(terms)


def _place(piece: Piece) -> str:
    """Arguments of `view` behind the array."""
    ranges: dict[int, Sequence[int]] = {dim: tuple(ends) for dim, ends in piece.narrow.items()}
    arguments = [json.dumps(piece.pattern), _literal(piece.sizes)]
    if piece.select or ranges:
        arguments.append(_literal(piece.select))
    if ranges:
        arguments.append(_literal(ranges))
    return ", ".join(arguments)


def _literal(mapping: Mapping[Any, Any]) -> str:
    """A dictionary as Python code; its keys are names or numbers."""
    return "{" + ", ".join(f"{json.dumps(key)}: {value!r}" for key, value in mapping.items()) + "}"
