"""Blocks of nodes, from the paths of layers and modules.

A pair has two paths. The side whose paths say more (usually PyTorch's) gives the blocks, so that a flat
list of Keras layers is folded by the modules of its partners. Nodes of the other side alone stand with
their neighbours, in blocks of their own where their own paths say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import takewhile

from autoport.facts.framework import Both, Framework
from autoport.report.rows.drawing import Group, Node

Path = tuple[str, ...]
SEPARATORS = Both("/", ".")
# A block of more than LIMIT members is cut into runs of RUN: neither people nor layouts take more.
LIMIT, RUN = 120, 60


def parts(path: str, side: Framework) -> Path:
    """A path at its separators.

    Example:
        >>> parts("layer1.0.conv1", Framework.TORCH)
        ('layer1', '0', 'conv1')
    """
    return tuple(part for part in path.split(SEPARATORS[side]) if part)


def containers(paths: Iterable[Path]) -> set[Path]:
    """Every path that holds another one."""
    return {path[:depth] for path in paths for depth in range(1, len(path))}


def group_nodes(nodes: Sequence[Node]) -> tuple[list[Node], tuple[Group, ...]]:
    """Gives every node its block.

    Args:
        nodes: in their order.

    Returns:
        The nodes with numbers of groups, and the groups.
    """
    paths = Both.of(lambda side: [_path(node, side) for node in nodes])
    inside = paths.map(lambda known: containers(path for path in known if path))
    lead = Framework.TORCH if len(inside.torch) >= len(inside.tf) else Framework.TF
    homes = _homes(paths[lead], paths[lead.other], inside[lead])
    homes = _cut(_joined(homes))
    return _numbered(nodes, homes, lead)


def _path(node: Node, side: Framework) -> Path | None:
    place = node[side]
    return parts(place.path, side) if place is not None else None


def _homes(lead: Sequence[Path | None], other: Sequence[Path | None], inside: set[Path]) -> list[Path]:
    """The block of every node, as a path: its own, or what its neighbours share with what only it is in."""
    paired = (path for path, mine in zip(other, lead, strict=True) if path is not None and mine is not None)
    shared = {path[:depth] for path in paired for depth in range(len(path))}
    known = [None if path is None else _home(path, inside) for path in lead]
    neighbours = zip(_filled(known), reversed(_filled(known[::-1])), strict=True)
    homes: list[Path] = []
    for home, own, (before, after) in zip(known, other, neighbours, strict=True):
        alone = [name for depth, name in enumerate((own or ())[:-1], 1) if (own or ())[:depth] not in shared]
        homes.append((*_common(before, after), *alone) if home is None else home)
    return homes


def _filled(homes: Sequence[Path | None]) -> list[Path]:
    """Each gap as what stands in front of it."""
    filled: list[Path] = []
    for home in homes:
        filled.append(home if home is not None else filled[-1] if filled else ())
    return filled


def _home(path: Path, inside: set[Path]) -> Path:
    return path if path in inside else path[:-1]


def _common(first: Path, second: Path) -> Path:
    both = takewhile(lambda names: names[0] == names[1], zip(first, second, strict=False))
    return tuple(name for name, _ in both)


def _joined(homes: list[Path]) -> list[Path]:
    """Blocks that hold nothing but one other block become one with it."""
    members: dict[Path, set[object]] = {}
    for number, home in enumerate(homes):
        members.setdefault(home, set()).add(number)
        for depth in range(len(home)):
            members.setdefault(home[:depth], set()).add(home[: depth + 1])
    single = {path for path, held in members.items() if path and len(held) == 1 and isinstance(next(iter(held)), tuple)}

    def joined(home: Path) -> Path:
        result: list[str] = []
        open_end = False
        for depth, name in enumerate(home, 1):
            if open_end:
                result[-1] += f".{name}"
            else:
                result.append(name)
            open_end = home[:depth] in single
        return tuple(result)

    return [joined(home) for home in homes]


def _cut(homes: list[Path]) -> list[Path]:
    """Cuts blocks with too many members into runs of neighbours, from outside inwards."""
    depth = 0
    while depth <= max(map(len, homes), default=0):
        members: dict[Path, dict[object, None]] = {}
        for number, home in enumerate(homes):
            if len(home) >= depth:
                members.setdefault(home[:depth], {})[_member(home, depth, number)] = None
        runs = {path: _runs(list(held)) for path, held in members.items() if len(held) > LIMIT}
        homes = [
            (*home[:depth], runs[home[:depth]][_member(home, depth, number)], *home[depth:])
            if len(home) >= depth and home[:depth] in runs
            else home
            for number, home in enumerate(homes)
        ]
        depth += not runs
    return homes


def _member(home: Path, depth: int, number: int) -> object:
    """What a node is to the block around it at that depth: part of another block, or a member itself."""
    return home[: depth + 1] if len(home) > depth else number


def _runs(held: Sequence[object]) -> dict[object, str]:
    """The name of its run for every member."""
    size = RUN if len(held) <= RUN * LIMIT else -(-len(held) // LIMIT)
    runs = [held[start : start + size] for start in range(0, len(held), size)]
    return {member: f"{_named(run[0])} to {_named(run[-1])}" for run in runs for member in run}


def _named(member: object) -> str:
    """The name of a block, or the number of a node."""
    return member[-1] if isinstance(member, tuple) else f"#{member}"


def _numbered(nodes: Sequence[Node], homes: Sequence[Path], lead: Framework) -> tuple[list[Node], tuple[Group, ...]]:
    numbers: dict[Path, int] = {}
    held: dict[Path, list[Node]] = {}
    for node, home in zip(nodes, homes, strict=True):
        for depth in range(1, len(home) + 1):
            numbers.setdefault(home[:depth], len(numbers))
            held.setdefault(home[:depth], []).append(node)
    groups = tuple(
        Group(
            path[-1],
            label([node.tf.path for node in held[path] if node.tf], Framework.TF),
            label([node.torch.path for node in held[path] if node.torch], Framework.TORCH),
            _class(held[path], lead),
            numbers.get(path[:-1]),
        )
        for path in numbers
    )
    return [replace(node, group=numbers.get(home)) for node, home in zip(nodes, homes, strict=True)], groups


def label(paths: Sequence[str], side: Framework) -> str:
    """What layers have in common in their paths.

    Example:
        >>> label(["layer1.0.conv1", "layer1.0.bn1"], Framework.TORCH)
        'layer1.0'
        >>> label(["conv2_block1_1_conv", "conv2_block1_1_bn"], Framework.TF)
        'conv2_block1_1_*'
    """
    paths = [path for path in paths if path]
    if not paths:
        return ""
    split: list[Path] = [parts(path, side) for path in paths]
    common = reduce(_common, split)
    if len(paths) == 1 or common:
        return SEPARATORS[side].join(common)
    letters: list[Path] = [tuple(path) for path in paths]
    shared = reduce(_common, letters)
    start = "".join(shared).rpartition("_")[0]
    return f"{start}_*" if start else ""


def _class(nodes: Sequence[Node], side: Framework) -> str:
    """The class of the module that all nodes belong to, told by an operation directly in it."""
    places = [place for node in nodes if (place := node[side]) is not None]
    common = label([place.path for place in places], side)
    return next((place.kind for place in places if place.path == common and len(places) > 1), "")
