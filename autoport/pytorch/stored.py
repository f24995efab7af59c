"""A PyTorch model as files know it."""

from __future__ import annotations

from torch import nn

from autoport.facts.framework import Framework
from autoport.files.stored_model import StoredModel
from autoport.graph import Graph


def stored_model(name: str, graph: Graph, module: nn.Module) -> StoredModel:
    """The PyTorch model as files know it: they hold its `state_dict`.

    Args:
        name: shown to people.
        graph: the model as it was read.
        module: the model.
    """
    stored = module.state_dict().keys()
    names = {path: {"state_dict": path} for path in graph.tensors if path in stored}
    aliases = {alias: path for alias, path in graph.aliases.items() if alias in stored}
    return StoredModel(Framework.TORCH, name, dict(graph.tensors), names, aliases)
