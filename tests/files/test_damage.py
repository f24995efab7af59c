"""Files that are damaged, hostile or not there: an error that names the file, nothing written, no crash, no hang."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import torch
from safetensors.torch import save_file

import autoport
from autoport.errors import AutoportError, FileError
from autoport.files.read import open_weights
from autoport.loading.by_name import load_keras, load_torch
from autoport.transfer.into_file import apply_plan


@pytest.fixture(scope="module")
def pair() -> tuple[Any, torch.nn.Module]:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    return model, torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))


def safetensors(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def row(start: int, stop: int, dtype: str = "F32", shape: Any = (1,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.safetensors", b"", "is empty"),
        ("a.safetensors", struct.pack("<Q", 2**63) + b"{}", "would have 9223372036854775808 bytes"),
        ("a.safetensors", struct.pack("<Q", 200_000_000) + b"{}", "would have 200000000 bytes"),
        ("a.safetensors", safetensors(b"[1, 2]"), "header of the safetensors file is damaged"),
        ("a.safetensors", safetensors(b"[" * 100_000), "header of the safetensors file is damaged"),
        ("a.safetensors", safetensors({"a": row(0, 4, "F31")}, b"0000"), "header of the safetensors file is damaged"),
        ("a.safetensors", safetensors({"a": row(0, 4, shape=(-1,))}, b"0000"), "header .* is damaged"),
        ("a.safetensors", safetensors({"a": row(0, 8)}, b"00000000"), "a does not lie where"),
        ("a.safetensors", safetensors({"a": row(4, 8)}, b"00000000"), "a does not lie where"),
        ("a.safetensors", safetensors({"a": row(0, 4), "b": row(0, 4)}, b"0000"), "b does not lie where|a does not"),
        ("a.safetensors", safetensors({"a": row(0, 4)}, b"00000000"), "cut off or damaged"),
        ("a.safetensors", safetensors({"a": row(0, 2**62, shape=(2**60,))}, b"0000"), "cut off or damaged"),
        ("a.safetensors.index.json", b"{}", "is not an index of shards"),
        (
            "a.safetensors.index.json",
            b'{"weight_map": {"a": "../../etc/passwd"}}',
            "is not the name of a file beside it",
        ),
        ("a.safetensors.index.json", b'{"weight_map": {"a": "b.safetensors"}}', "No such file"),
        ("a.weights.json", b'{"weight_map": {"a": "/etc/passwd"}}', "is not the name of a file beside it"),
        ("a.weights.h5", b"PK\x03\x04", "is not an HDF5 file, or it is damaged"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is not an HDF5 file, or it is damaged"),
        ("a.keras", b"\x89HDF\r\n\x1a\n", "is not a .keras file, or it is damaged"),
        ("a.pt", b"\x80\x04.", "cannot be read as a state dict"),
        ("a.index", b"nothing", "is not a TensorFlow checkpoint, or it is damaged"),
        ("a.pt2", b"nothing", "is not an exported program of PyTorch, or it is damaged"),
        ("a.txt", b"nothing", "is not a file of weights"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said) as raised:
        open_weights(tmp_path / name)
    assert str(tmp_path) in str(raised.value)


def test_a_file_that_is_not_there_or_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match="does not exist"):
        open_weights(tmp_path / "a.h5")
    (tmp_path / "a.safetensors").write_bytes(b"1")

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileError, match="Permission denied"):
        open_weights(tmp_path / "a.safetensors")


def test_a_full_disk_leaves_the_old_file(pair: Any, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no device that is always full")
    save_file(pair[1].state_dict(), tmp_path / "x.safetensors")
    plan = autoport.match(*pair).plan("tf")
    (tmp_path / "out.weights.h5").write_text("old")
    place = Path("/dev/full")
    from autoport.base import whole_files as whole

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole, "_beside", lambda path, suffix: _link(tmp_path / f".full{suffix}", place))
        with pytest.raises(AutoportError, match=r"out\.weights\.h5 could not be written"):
            apply_plan(plan, tmp_path / "x.safetensors", tmp_path / "out.weights.h5")
    assert (tmp_path / "out.weights.h5").read_text() == "old"


def _link(path: Path, place: Path) -> Path:
    path.symlink_to(place)
    return path


class Evil:
    """What runs code when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


@pytest.mark.parametrize("modern", [True, False])
def test_a_pickle_runs_nothing_unless_it_is_trusted(tmp_path: Path, modern: bool) -> None:
    state = {"weight": torch.ones(2), "more": Evil(tmp_path / "ran")}
    torch.save(state, tmp_path / "x.pt", _use_new_zipfile_serialization=modern)
    with pytest.raises(FileError, match="--trust-code reads it all the same"):
        open_weights(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()
    with open_weights(tmp_path / "x.pt", trust_code=True) as archive:
        np.testing.assert_array_equal(archive.read("weight"), [1, 1])
    assert (tmp_path / "ran").exists()


def test_a_bare_pickle_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(FileError):
        open_weights(tmp_path / "x.bin")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_in_an_exported_program_runs_nothing(tmp_path: Path) -> None:
    net = torch.nn.Linear(3, 2)
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3),)), tmp_path / "x.pt2")
    torch.save({"more": Evil(tmp_path / "ran")}, tmp_path / "evil.pt")
    with zipfile.ZipFile(tmp_path / "x.pt2") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    inputs = [name for name in members if "sample_inputs" in name]
    assert inputs
    with zipfile.ZipFile(tmp_path / "x.pt2", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, (tmp_path / "evil.pt").read_bytes() if name in inputs else content)
    with contextlib.suppress(AutoportError):
        open_weights(tmp_path / "x.pt2")
    assert not (tmp_path / "ran").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.parametrize("name", ["code.keras", "code.h5"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_lambda_layer_runs_nothing_unless_it_is_trusted(tmp_path: Path, name: str, library: Any) -> None:
    stack = [library.layers.Dense(3), library.layers.Lambda(lambda x: x * 2)]
    library.Sequential([library.Input((4,)), *stack]).save(tmp_path / name)
    with pytest.raises(FileError, match=r"runs a Lambda layer.*--trust-code allows it"):
        load_keras(str(tmp_path / name))
    model = load_keras(str(tmp_path / name), trust_code=True)
    np.testing.assert_allclose(np.asarray(model(np.ones((1, 4)))), 2 * np.asarray(model.layers[0](np.ones((1, 4)))))


def test_classes_that_a_file_names_are_not_imported(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "x.keras")
    _change_config(tmp_path / "x.keras", '"module": "keras.layers"', '"module": "antigravity"')
    with pytest.raises(FileError, match="of the module antigravity"):
        load_keras(str(tmp_path / "x.keras"))


def _change_config(path: Path, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "..\\evil.py", "C:\\evil.py"])
def test_names_in_a_keras_archive_do_not_lead_out_of_it(tmp_path: Path, name: str) -> None:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(tmp_path / "x.keras")
    with zipfile.ZipFile(tmp_path / "x.keras", "a") as archive:
        archive.writestr(name, b"x")
    for read in (open_weights, lambda path: load_keras(str(path))):
        with pytest.raises(FileError, match="would lie outside of the archive"):
            read(tmp_path / "x.keras")


def test_weights_that_are_pickles_or_of_8_bits_are_refused_by_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("model.weights.npz", b"x")
    with pytest.raises(FileError, match=r"holds its weights in model\.weights\.npz, as pickles"):
        open_weights(tmp_path / "x.keras")
    state = {"layer.weight": torch.ones(2, 3).to(torch.float8_e4m3fn)}
    torch.save(state, tmp_path / "x.pt")
    save_file(state, tmp_path / "x.safetensors")
    for name in ("x.pt", "x.safetensors"):
        with (
            open_weights(tmp_path / name) as archive,
            pytest.raises(FileError, match=r"layer\.weight is float8_e4m3fn"),
        ):
            archive.read("layer.weight")


def test_a_keras_archive_that_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10_000_000))
    with pytest.raises(FileError, match="would grow to 10000000 bytes"):
        open_weights(tmp_path / "x.keras")


@pytest.mark.parametrize("size", [0, 8, 16, 1472, 2**63])
def test_texts_in_hdf5_that_lead_nowhere_are_found_before_hdf5_reads_them(tmp_path: Path, size: int) -> None:
    """A heap whose free space has another size than is left of it: the library never comes to its end."""
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(tmp_path / "x.h5")
    content = bytearray((tmp_path / "x.h5").read_bytes())
    start = content.index(b"GCOL")
    stop, place = start + struct.unpack_from("<Q", content, start + 8)[0], start + 16
    while struct.unpack_from("<H", content, place)[0]:
        place += 16 + -(-struct.unpack_from("<Q", content, place + 8)[0] // 8) * 8
    assert struct.unpack_from("<Q", content, place + 8)[0] == stop - place
    struct.pack_into("<Q", content, place + 8, size)
    (tmp_path / "x.h5").write_bytes(content)
    for read in (open_weights, lambda path: load_keras(str(path))):
        with pytest.raises(FileError, match="an object of a global heap has an impossible size"):
            read(tmp_path / "x.h5")


def test_links_in_hdf5_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["a"] = np.ones(3)
    for kind in (h5py.ExternalLink("secret.h5", "a"), h5py.SoftLink("/b")):
        with h5py.File(tmp_path / "x.weights.h5", "w") as file:
            file["link"] = kind
        with pytest.raises(FileError, match="link is a link to another place"):
            open_weights(tmp_path / "x.weights.h5")
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file.create_dataset("a", (3,), "f4", external=[(str(tmp_path / "secret.h5"), 0, 12)])
    with pytest.raises(FileError, match="takes its values from another file"):
        open_weights(tmp_path / "x.weights.h5")


def test_a_saved_model_that_touches_files_is_refused(tmp_path: Path) -> None:
    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((2, 3), tf.float32)])
        def __call__(self, x: Any) -> Any:
            tf.io.write_file(str(tmp_path / "ran"), "evil")
            return x

    tf.saved_model.save(Writer(), str(tmp_path / "saved"))
    with pytest.raises(
        FileError, match=r"runs WriteFile \(node .*read or write files or run code.*--trust-code allows it"
    ):
        load_keras(str(tmp_path / "saved"))
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_model_do_not_go_into_a_callable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"weight": torch.ones(3, 5), "bias": torch.ones(3)}, tmp_path / "x.safetensors")
    with pytest.raises(AutoportError, match=r"weight is float32 \[3, 5\]; the plan was made for \[3, 4\]"):
        load_torch(f"torch.nn:Linear(4, 3)@{tmp_path}/x.safetensors")
