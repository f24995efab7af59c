"""Private API of PyTorch is where it was, and a move is named."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from autoport.internals import pytorch as internals
from tests.internals.moved import Check, functions_of, never, run

PACKAGES = "torch"


def fake(*shape: int) -> torch.Tensor:
    with internals.fake_tensor_mode()():
        return torch.empty(shape)


def fake_tensor_mode() -> None:
    with internals.fake_tensor_mode()(allow_non_fake_inputs=True) as mode:
        product = mode.from_tensor(torch.ones(2, 3)) @ torch.ones(3, 4)
        assert product.shape == (2, 4)
        with pytest.raises(Exception, match="local_scalar_dense"):
            product.sum().item()
    assert isinstance(mode.__torch_dispatch__(torch.ops.aten.add.Tensor, (), (product, product)), type(product))


def is_fake() -> None:
    assert internals.is_fake(fake(2))
    assert not internals.is_fake(torch.empty(2))
    assert not internals.is_fake(torch.empty(2, device="meta"))


def known_value() -> None:
    with internals.fake_tensor_mode()():
        computed, made = torch.sqrt(torch.tensor(9.0) * 4), torch.empty(())
    assert internals.known_value(computed).item() == 6
    assert not internals.is_fake(internals.known_value(computed))
    assert internals.known_value(made) is made


def fake_tensor_log() -> None:
    """A failing operation is logged there."""
    records: list[str] = []
    log = internals.fake_tensor_log()

    def note(record: object) -> bool:
        records.append(str(record))
        return False

    wide = fake(2, 3)
    log.addFilter(note)
    try:
        with pytest.raises(RuntimeError):
            wide @ wide
    finally:
        log.removeFilter(note)
    assert records


def tree_map() -> None:
    tree = {"a": [1, (2, 3)], "b": torch.Size([4])}
    assert internals.tree_map(lambda leaf: leaf + 1, tree)["a"] == [2, (3, 4)]


def tree_leaves() -> None:
    assert internals.tree_leaves(({"a": 1}, [2, None, (3,)])) == [1, 2, None, 3]
    assert internals.tree_leaves([(1, 2), 3], is_leaf=lambda leaf: isinstance(leaf, tuple)) == [(1, 2), 3]


def in_transform() -> None:
    inside: list[bool] = []
    torch.vmap(lambda x: inside.append(internals.in_transform()) or x)(torch.ones(2))
    assert inside == [True]
    assert not internals.in_transform()


def memory_of() -> None:
    for tensor in (torch.ones(4), fake(4)):
        assert internals.memory_of(tensor) == internals.memory_of(tensor[1:])
        assert internals.memory_of(tensor) != internals.memory_of(tensor.clone())


def save_room() -> None:
    """What is written at an offset is the tensor that PyTorch reads."""
    values = np.array([1.5, 2.5, 3.5], np.float32)
    with TemporaryDirectory() as folder:
        place = Path(folder) / "state.pt"
        offsets = internals.save_room({"other": ((7, 2), "int64"), "values": ((3,), "float32")}, place)
        with place.open("r+b") as file:
            file.seek(offsets["values"])
            file.write(values.tobytes())
        state = torch.load(place)
    assert state["values"].tolist() == values.tolist()
    assert (state["other"].shape, state["other"].dtype) == ((7, 2), torch.int64)


def parameters_of() -> None:
    assert internals.parameters_of(torch.ops.aten.add.Tensor) == ["self", "other", "alpha"]
    assert internals.parameters_of(torch.add) is None


def archive_members() -> None:
    with TemporaryDirectory() as folder:
        place = Path(folder) / "x.pt2"
        torch.export.save(torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(2, 3),)), place)
        members = [(name, read()) for name, read in internals.archive_members(place)]
    assert [name for name, content in members if content and "models/" in name] == [
        "x/models/model.json",
        "models/model.json",
    ]
    assert all(b"aten.linear" in content for name, content in members if "models/" in name)


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        fake_tensor_mode,
        is_fake,
        known_value,
        fake_tensor_log,
        tree_map,
        tree_leaves,
        in_transform,
        memory_of,
        save_room,
        parameters_of,
        archive_members,
    )
}


@pytest.mark.parametrize("name", functions_of(internals))
def test_private_api_of_pytorch_works_with_the_installed_version(name: str) -> None:
    run(internals, name, CHECKS, PACKAGES)


def test_an_internal_that_has_gone_is_named_with_its_use_and_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._C._functorch, "peek_interpreter_stack", never)
    with pytest.raises(pytest.fail.Exception) as failure:
        run(internals, "in_transform", CHECKS, PACKAGES)
    text = str(failure.value)
    assert f"autoport.internals.pytorch.in_transform no longer works with torch {torch.__version__}" in text
    assert "Whether a transform of `torch.func`, such as `vmap`, is running" in text
