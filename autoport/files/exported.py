"""`.pt2`: the weights of an exported program of PyTorch."""

from __future__ import annotations

from pathlib import Path

from autoport.files.archive import Archive, Header
from autoport.files.models import load_exported
from autoport.transfer import TorchStore


def open_exported(path: Path, *, trust_code: bool = False) -> Archive:
    """Opens the state dict of an exported program.

    Args:
        path: the file.
        trust_code: read what is pickled in it, which may run any code.

    Raises:
        FileError: the file is damaged.
    """
    state = load_exported(path, trust_code).state_dict()
    headers = {name: Header(tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in state.items()}
    return Archive(path, headers, {"state_dict": {name: name for name in state}}, TorchStore(state).read)
