"""What a SavedModel would run: its operations, on the way of the data and in what is called when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from autoport.internals.keras import variable_definition
from autoport.loading.known.tensorflow_names import OPERATIONS, SAVING

RESTORE = "RestoreV2"
PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")


def unknown_operations(document: Any) -> dict[str, str]:
    """Operations in a SavedModel that are not known to compute only.

    Operations that save and restore are known where only TensorFlow's own saving and restoring reaches them.

    Args:
        document: the content of `saved_model.pb`.

    Returns:
        By type, the name of the first node of that type; by name, the node that calls a function that is missing.
    """
    graphs = list(document.meta_graphs)
    by_objects = len(graphs) == 1 and graphs[0].HasField("object_graph_def")  # as TensorFlow decides how to load
    found: dict[str, str] = {}
    for graph in graphs:
        for kind, node in (_of_objects if by_objects else _of_session)(graph):
            found.setdefault(kind, node)
    return found


def _of_objects(meta: Any) -> Iterator[tuple[str, str]]:
    """Of a SavedModel of TensorFlow 2: objects call functions, and the main graph is there for version 1."""
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    named = _reach(_functions_of_objects(meta.object_graph_def), lambda name: _called(functions, name))
    main = {name for node in meta.graph_def.node for name in _calls(node, functions)}
    saves = _reach(main, lambda name: _called(functions, name)) - named
    for name, function in functions.items():
        yield from _unknown(function.node_def, functions, OPERATIONS | SAVING if name in saves else OPERATIONS)
    yield from _unknown(meta.graph_def.node, functions, OPERATIONS | SAVING)


def _functions_of_objects(objects: Any) -> Iterator[str]:
    yield from objects.concrete_functions
    for node in objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _of_session(meta: Any) -> Iterator[tuple[str, str]]:
    """Of a SavedModel of TensorFlow 1: signatures, variables and the restoring of values run parts of one graph."""
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    for function in functions.values():
        yield from _unknown(function.node_def, functions, OPERATIONS)
    nodes = {node.name: node for node in meta.graph_def.node}

    def ancestors(names: Iterable[str]) -> set[str]:
        return _reach(map(_node_name, names), lambda name: map(_node_name, nodes[name].input) if name in nodes else ())

    saver = meta.saver_def
    restores, saves = ancestors([saver.restore_op_name]), ancestors([saver.save_tensor_name])
    runs = ancestors([*(nodes.keys() - restores - saves), *_named_by(meta)])
    yield from _unknown((nodes[name] for name in runs & nodes.keys()), functions, OPERATIONS)
    yield from _unknown((nodes[name] for name in saves & nodes.keys()), functions, OPERATIONS | SAVING)
    source = _node_name(saver.filename_tensor_name)
    for node in (nodes[name] for name in restores & nodes.keys()):
        fed = node.op == RESTORE and _origin(node, nodes) == source and nodes[source].op in PLACEHOLDERS
        yield from () if fed else _unknown([node], functions, OPERATIONS)


def _named_by(meta: Any) -> Iterator[str]:
    """Tensors and operations that signatures and collections name."""
    for signature in meta.signature_def.values():
        yield from (info.name for info in [*signature.inputs.values(), *signature.outputs.values()])
    for collection in meta.collection_def.values():
        yield from collection.node_list.value
        for data in collection.bytes_list.value:
            yield from variable_definition(data)


def _origin(node: Any, nodes: Mapping[str, Any]) -> str:
    """The name of the node that makes the first input of a node, identities left out."""
    seen: set[str] = set()
    while node.input and node.name not in seen and (node.op == RESTORE or node.op == "Identity"):
        seen.add(node.name)
        name = _node_name(node.input[0])
        if name not in nodes:
            return ""
        node = nodes[name]
    return str(node.name)


def _unknown(nodes: Iterable[Any], functions: Mapping[str, Any], known: frozenset[str]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if node.op not in known and node.op not in functions:
            yield node.op, node.name
        yield from ((name, node.name) for name in _calls(node, functions) if name not in functions)


def _called(functions: Mapping[str, Any], name: str) -> Iterator[str]:
    for node in functions[name].node_def if name in functions else ():
        yield from _calls(node, functions)


def _calls(node: Any, functions: Mapping[str, Any]) -> Iterator[str]:
    """Names of the functions that a node calls."""
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        yield from (function.name for function in [value.func, *value.list.func] if function.name)


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").split(":")[0]


def _reach(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """Everything that can be reached."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += following(name)
    return seen
