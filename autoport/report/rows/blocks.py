"""Groups nodes into blocks by the paths of layers and modules.

A pair has two paths. The side with more nested paths, usually PyTorch, leads: it gives the blocks, so that a flat
list of Keras layers is folded by the modules of its partners. Nodes of the other side alone stand with their
neighbours, in blocks of their own where their paths say so.
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
# A block of more than LIMIT members is split into runs of RUN members: neither people nor layouts cope with more.
LIMIT, RUN = 120, 60


def parts(path: str, side: Framework) -> Path:
    """Splits a path at its separators.

    Example:
        >>> parts("layer1.0.conv1", Framework.TORCH)
        ('layer1', '0', 'conv1')
    """
    return tuple(part for part in path.split(SEPARATORS[side]) if part)


def containers(paths: Iterable[Path]) -> set[Path]:
    """Every path that is a prefix of another one."""
    return {path[:depth] for path in paths for depth in range(1, len(path))}


def group_nodes(nodes: Sequence[Node]) -> tuple[list[Node], tuple[Group, ...]]:
    """Assigns every node to a block.

    Args:
        nodes: in the order of the drawing.

    Returns:
        The nodes with the numbers of their groups, and the groups.
    """
    paths = Both.of(lambda side: [_path(node, side) for node in nodes])
    inside = paths.map(lambda side_paths: containers(path for path in side_paths if path))
    lead = Framework.TORCH if len(inside.torch) >= len(inside.tf) else Framework.TF
    homes = _homes(paths[lead], paths[lead.other], inside[lead])
    homes = _split_large(_merge_single(homes))
    return _number_groups(nodes, homes, lead)


def _path(node: Node, side: Framework) -> Path | None:
    place = node[side]
    return parts(place.path, side) if place is not None else None


def _homes(lead: Sequence[Path | None], other: Sequence[Path | None], inside: set[Path]) -> list[Path]:
    """The block of every node, as a path: its own; without one, the block that its neighbours share."""
    paired = (path for path, mine in zip(other, lead, strict=True) if path is not None and mine is not None)
    shared = {path[:depth] for path in paired for depth in range(len(path))}
    lead_homes = [None if path is None else _home(path, inside) for path in lead]
    neighbours = zip(_fill_gaps(lead_homes), reversed(_fill_gaps(lead_homes[::-1])), strict=True)
    homes: list[Path] = []
    for home, own, (before, after) in zip(lead_homes, other, neighbours, strict=True):
        alone = [name for depth, name in enumerate((own or ())[:-1], 1) if (own or ())[:depth] not in shared]
        homes.append((*_common(before, after), *alone) if home is None else home)
    return homes


def _fill_gaps(homes: Sequence[Path | None]) -> list[Path]:
    """The homes with every gap filled by the home in front of it."""
    filled: list[Path] = []
    for home in homes:
        filled.append(home if home is not None else filled[-1] if filled else ())
    return filled


def _home(path: Path, inside: set[Path]) -> Path:
    return path if path in inside else path[:-1]


def _common(first: Path, second: Path) -> Path:
    both = takewhile(lambda names: names[0] == names[1], zip(first, second, strict=False))
    return tuple(name for name, _ in both)


def _merge_single(homes: list[Path]) -> list[Path]:
    """Merges a block whose only member is another block with that block."""
    members: dict[Path, set[object]] = {}
    for number, home in enumerate(homes):
        members.setdefault(home, set()).add(number)
        for depth in range(len(home)):
            members.setdefault(home[:depth], set()).add(home[: depth + 1])
    single = {
        path for path, inside in members.items() if path and len(inside) == 1 and isinstance(next(iter(inside)), tuple)
    }

    def merge(home: Path) -> Path:
        names: list[str] = []
        open_end = False
        for depth, name in enumerate(home, 1):
            if open_end:
                names[-1] += f".{name}"
            else:
                names.append(name)
            open_end = home[:depth] in single
        return tuple(names)

    return [merge(home) for home in homes]


def _split_large(homes: list[Path]) -> list[Path]:
    """Splits blocks with too many members into runs of neighbours, from the outside in."""
    depth = 0
    while depth <= max(map(len, homes), default=0):
        members: dict[Path, dict[object, None]] = {}
        for number, home in enumerate(homes):
            if len(home) >= depth:
                members.setdefault(home[:depth], {})[_member(home, depth, number)] = None
        runs = {path: _runs(list(inside)) for path, inside in members.items() if len(inside) > LIMIT}
        homes = [
            (*home[:depth], runs[home[:depth]][_member(home, depth, number)], *home[depth:])
            if len(home) >= depth and home[:depth] in runs
            else home
            for number, home in enumerate(homes)
        ]
        depth += not runs
    return homes


def _member(home: Path, depth: int, number: int) -> object:
    """The member of a block at that depth that a node is in: a smaller block, or the node itself."""
    return home[: depth + 1] if len(home) > depth else number


def _runs(members: Sequence[object]) -> dict[object, str]:
    """By member, the name of its run."""
    size = RUN if len(members) <= RUN * LIMIT else -(-len(members) // LIMIT)
    runs = [members[start : start + size] for start in range(0, len(members), size)]
    return {member: f"{_member_name(run[0])} to {_member_name(run[-1])}" for run in runs for member in run}


def _member_name(member: object) -> str:
    """The name of a block, or the number of a node."""
    return member[-1] if isinstance(member, tuple) else f"#{member}"


def _number_groups(
    nodes: Sequence[Node], homes: Sequence[Path], lead: Framework
) -> tuple[list[Node], tuple[Group, ...]]:
    numbers: dict[Path, int] = {}
    members: dict[Path, list[Node]] = {}
    for node, home in zip(nodes, homes, strict=True):
        for depth in range(1, len(home) + 1):
            numbers.setdefault(home[:depth], len(numbers))
            members.setdefault(home[:depth], []).append(node)
    groups = tuple(
        Group(
            path[-1],
            label([node.tf.path for node in members[path] if node.tf], Framework.TF),
            label([node.torch.path for node in members[path] if node.torch], Framework.TORCH),
            _class(members[path], lead),
            numbers.get(path[:-1]),
        )
        for path in numbers
    )
    return [replace(node, group=numbers.get(home)) for node, home in zip(nodes, homes, strict=True)], groups


def label(paths: Sequence[str], side: Framework) -> str:
    """The common part of the paths of layers.

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
    """The class of the module that all nodes belong to, known from an operation directly in it."""
    places = [place for node in nodes if (place := node[side]) is not None]
    common = label([place.path for place in places], side)
    return next((place.kind for place in places if place.path == common and len(places) > 1), "")
