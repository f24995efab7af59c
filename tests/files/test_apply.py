"""Weights from file to file: every format of the same model gives what `port` gives, and nothing else is taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import autoport
from autoport.cli import app
from autoport.errors import AutoportError, IncompleteMatchError, MismatchError, TransferError
from autoport.loading.by_name import load_keras
from autoport.script import render_script
from autoport.transfer.into_file import apply_plan
from tests.files.models import Module, Net, Plain, keras_model, sequences, tf_keras_model
from tests.layers.test_stored import untied


@pytest.fixture(scope="module")
def model() -> Any:
    return keras_model()


@pytest.fixture(scope="module")
def match(model: Any) -> autoport.Match:
    return autoport.match(model, Net())


@pytest.fixture(scope="module")
def port(match: autoport.Match, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `port` writes."""
    path = tmp_path_factory.mktemp("port") / "port.safetensors"
    match.save_weights(path)
    return path


def keras_2_13(model: Any, path: Path) -> None:
    """The names that Keras 2.13 gave to layers in `.weights.h5`."""
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        file.move("layers", "_layer_checkpoint_dependencies")


def sharded(model: Any, path: Path) -> None:
    model.save_weights(path, max_shard_size=2e-6)


WRITERS: dict[str, Any] = {
    "w.weights.h5": lambda model, path: model.save_weights(path),
    "model.keras": lambda model, path: model.save(path),
    "folder": lambda model, path: model.save(path, zipped=False),
    "model.h5": lambda model, path: model.save(path),
    "w.weights.json": sharded,
    "old.weights.h5": keras_2_13,
    "exported": lambda model, path: model.export(path, verbose=False),
    "check.index": lambda model, path: tf.train.Checkpoint(model=model).write(str(path).removesuffix(".index")),
}
WRITERS_OF_KERAS_2: dict[str, Any] = {
    "w.weights.h5": lambda model, path: model.save_weights(path),
    "w.h5": lambda model, path: model.save_weights(str(path)),
    "model.h5": lambda model, path: model.save(path),
    "model.keras": lambda model, path: model.save(path),
    "saved": lambda model, path: model.save(path),
    "check": lambda model, path: model.save_weights(str(path)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_of_keras_gives_what_port_gives(
    match: autoport.Match, model: Any, port: Path, tmp_path: Path, name: str
) -> None:
    WRITERS[name](model, tmp_path / name)
    match.plan().save(tmp_path / "x.plan.json")
    plan = autoport.Plan.load(tmp_path / "x.plan.json")
    assert apply_plan(plan, tmp_path / name, tmp_path / "out.safetensors") == []
    assert (tmp_path / "out.safetensors").read_bytes() == port.read_bytes()


@pytest.mark.parametrize("name", WRITERS_OF_KERAS_2)
def test_files_of_keras_2_with_other_counters_fit_the_plan_of_keras_3(
    match: autoport.Match, port: Path, tmp_path: Path, name: str
) -> None:
    WRITERS_OF_KERAS_2[name](tf_keras_model(), tmp_path / name)
    apply_plan(match.plan(), tmp_path / name, tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == port.read_bytes()


@pytest.mark.parametrize("version", ["2.2.4", "2.3.1", "2.7.0", "2.15.0"])
def test_h5_files_by_hand_in_the_layout_of_keras_2(
    match: autoport.Match, model: Any, port: Path, tmp_path: Path, version: str
) -> None:
    """Fixed-length byte strings and `:0` behind names, as in every version; whole models below `model_weights`."""
    with h5py.File(tmp_path / "old.h5", "w") as file:
        whole = version < "2.5"
        group = file.create_group("model_weights") if whole else file
        group.attrs["keras_version"], group.attrs["backend"] = np.bytes_(version), np.bytes_("tensorflow")
        group.attrs["layer_names"] = np.array([layer.name.encode() for layer in model.layers])
        for layer in model.layers:
            inner = group.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            inner.attrs["weight_names"] = np.array([name.encode() for name in names], "S")
            for name, weight in zip(names, layer.weights, strict=True):
                inner[name] = np.array(weight)
    apply_plan(match.plan(), tmp_path / "old.h5", tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == port.read_bytes()


def test_port_writes_what_the_library_writes(match: autoport.Match, port: Path, tmp_path: Path) -> None:
    save_file(dict(match.state_dict()), tmp_path / "library.safetensors", {"format": "pt"})
    assert port.read_bytes() == (tmp_path / "library.safetensors").read_bytes()


@pytest.mark.parametrize("form", ["out.pt", "out.pth"])
def test_state_dicts_of_pytorch_are_written_and_read(
    match: autoport.Match, model: Any, tmp_path: Path, form: str
) -> None:
    model.save_weights(tmp_path / "w.weights.h5")
    apply_plan(match.plan(), tmp_path / "w.weights.h5", tmp_path / form)
    state, wanted = torch.load(tmp_path / form, weights_only=True), match.state_dict()
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in wanted.items())


SAVERS: dict[str, Any] = {
    "x.pt": lambda state, path: torch.save(state, path),
    "old.pth": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "training.pt": lambda state, path: torch.save(
        {"epoch": 3, "model": state, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}}, path
    ),
    "parallel.pt": lambda state, path: torch.save({f"module.{name}": t for name, t in state.items()}, path),
    "x.safetensors": lambda state, path: save_file(state, path),
    "no_counters.safetensors": lambda state, path: save_file(
        {name: t for name, t in state.items() if "num_batches" not in name}, path
    ),
}


@pytest.mark.parametrize("name", SAVERS)
def test_every_format_of_pytorch_goes_back_to_keras_bit_by_bit(
    match: autoport.Match, model: Any, tmp_path: Path, name: str
) -> None:
    SAVERS[name](match.state_dict(), tmp_path / name)
    apply_plan(match.plan("tf"), tmp_path / name, tmp_path / "back.weights.h5")
    other = keras_model(seed=9)
    other.load_weights(tmp_path / "back.weights.h5")
    for mine, theirs in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_exported_programs_are_weights_too(match: autoport.Match, tmp_path: Path) -> None:
    net = Net().eval()
    net.load_state_dict(match.state_dict())
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 8, 9),)), tmp_path / "net.pt2")
    save_file(match.state_dict(), tmp_path / "net.safetensors")
    for name in ("net.pt2", "net.safetensors"):
        apply_plan(match.plan("tf"), tmp_path / name, tmp_path / f"{name}.weights.h5")
    first, second = (tmp_path / f"{name}.weights.h5" for name in ("net.pt2", "net.safetensors"))
    assert first.read_bytes() == second.read_bytes()


def test_a_module_without_names_goes_by_its_attributes(tmp_path: Path) -> None:
    module = Module()
    tf.saved_model.save(module, str(tmp_path / "saved"))
    tf.train.Checkpoint(module).write(str(tmp_path / "check"))
    match = autoport.match(load_keras(str(tmp_path / "saved")), Plain())
    for name in ("saved", "check"):
        apply_plan(match.plan(), tmp_path / name, tmp_path / "out.safetensors")
        np.testing.assert_array_equal(load_file(tmp_path / "out.safetensors")["norm.bias"], module.offset)


@pytest.mark.parametrize("build", [lambda: (keras_model(), Net()), sequences])
@pytest.mark.parametrize("to", ["torch", "tf"])
def test_a_script_gives_the_very_bytes_of_port(build: Any, to: str, tmp_path: Path) -> None:
    model, net = build()
    match = autoport.match(model, net)
    match.assign()
    source, target = ("in.weights.h5", "out.safetensors") if to == "torch" else ("in.safetensors", "out.weights.h5")
    if to == "torch":
        model.save_weights(tmp_path / source)
    else:
        save_file(net.state_dict(), tmp_path / source)
    (tmp_path / "convert.py").write_text(render_script(match.plan(to)))
    code = "import sys, runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
    code += "assert not {'torch', 'tensorflow', 'keras', 'autoport'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, "convert.py", source, target], cwd=tmp_path, check=True)
    match.save_weights(tmp_path / f"port.{target}", to)
    assert (tmp_path / target).read_bytes() == (tmp_path / f"port.{target}").read_bytes()


def test_a_script_asks_sources_of_one_tensor_to_agree(tmp_path: Path) -> None:
    model, module = untied()
    words, rows = model.weights
    rows.assign(words)
    match = autoport.match(model, module)
    (tmp_path / "convert.py").write_text(render_script(match.plan()))
    command = [sys.executable, "convert.py", "in.weights.h5", "out.safetensors"]
    model.save_weights(tmp_path / "in.weights.h5")
    subprocess.run(command, cwd=tmp_path, check=True)
    match.save_weights(tmp_path / "port.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == (tmp_path / "port.safetensors").read_bytes()
    (tmp_path / "out.safetensors").unlink()
    rows.assign(rows + 1)
    model.save_weights(tmp_path / "in.weights.h5")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "tensors that must be equal differ" in done.stderr
    assert not (tmp_path / "out.safetensors").exists()


def test_repeated_structure_is_a_loop_in_a_script() -> None:
    layers = [keras.layers.Dense(6) for _ in range(8)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    net = torch.nn.Sequential(*[torch.nn.Linear(6, 6) for _ in range(8)])
    text = render_script(autoport.match(model, net).plan())
    assert (
        '    for i in range(7):\n        yield f"{i + 1}.weight", rearrange(read(f"layers/dense_{i + 1}/vars/0")'
        in text
    )


def test_shards_are_laid_out_as_hugging_face_does(match: autoport.Match, model: Any, tmp_path: Path) -> None:
    match.save_weights(tmp_path / "model.safetensors", shard_size=600)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    shards = sorted(path.name for path in tmp_path.glob("model-*"))
    assert shards == [f"model-{k:05}-of-{len(shards):05}.safetensors" for k in range(1, len(shards) + 1)]
    assert len(shards) > 2
    state = {}
    for name in shards:
        found = load_file(tmp_path / name)
        assert sum(t.nbytes for t in found.values()) <= 600 or len(found) == 1
        assert {index["weight_map"][key] for key in found} == {name}
        state |= found
    assert all(torch.equal(state[name], tensor) for name, tensor in match.state_dict().items())
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in state.values())
    apply_plan(match.plan("tf"), tmp_path / "model.safetensors.index.json", tmp_path / "back.weights.h5")
    keras_model(seed=2).load_weights(tmp_path / "back.weights.h5")


def test_a_pytorch_model_stays_on_the_meta_device(model: Any, port: Path, tmp_path: Path) -> None:
    with torch.device("meta"):
        net = Net()
    match = autoport.match(model, net)
    match.save_weights(tmp_path / "meta.safetensors")
    assert all(parameter.is_meta for parameter in net.parameters())
    found, wanted = load_file(tmp_path / "meta.safetensors"), load_file(port)
    assert wanted.keys() - found.keys() == {"norm.num_batches_tracked"}
    assert all(torch.equal(found[name], wanted[name]) for name in found)


def altered(name: str, change: Any) -> Any:
    """A state dict with one tensor changed."""

    def alter(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {**state, name: change(state[name])}

    return alter


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (
            lambda s: {k: t for k, t in s.items() if k != "conv.bias"},
            MismatchError,
            r"lacks tensors[^\n]*\n  conv\.bias",
        ),
        (lambda s: {**s, "more.weight": torch.ones(3)}, MismatchError, r"does not know:\n  more\.weight float32 \[3\]"),
        (altered("conv.bias", lambda t: torch.ones(7)), MismatchError, r"other shapes:\n  conv\.bias is float32 \[7\]"),
        (altered("conv.bias", lambda t: t * torch.nan), TransferError, r"conv\.bias holds NaN or infinity in 4 of 4"),
        (altered("conv.bias", lambda t: t / 0), TransferError, r"conv\.bias holds NaN or infinity"),
        (altered("conv.bias", lambda t: t.double() + 1e-12), TransferError, "cannot hold the float64 values"),
        (altered("conv.bias", lambda t: t.to(torch.complex64)), TransferError, "cannot hold the complex64 values"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_and_nothing_is_written(
    match: autoport.Match, tmp_path: Path, change: Any, error: type[Exception], said: str
) -> None:
    save_file(change(match.state_dict()), tmp_path / "x.safetensors")
    (tmp_path / "old.weights.h5").write_text("old")
    with pytest.raises(error, match=said):
        apply_plan(match.plan("tf"), tmp_path / "x.safetensors", tmp_path / "old.weights.h5")
    assert (tmp_path / "old.weights.h5").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"x.safetensors", "old.weights.h5"}


def test_a_plan_that_leaves_something_out_is_not_carried_out(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.LayerNormalization()])
    plan = autoport.match(model, torch.nn.Sequential(torch.nn.Linear(4, 3))).plan("tf")
    save_file(torch.nn.Sequential(torch.nn.Linear(4, 3)).state_dict(), tmp_path / "x.safetensors")
    with pytest.raises(IncompleteMatchError, match="layer_normalization"):
        apply_plan(plan, tmp_path / "x.safetensors", tmp_path / "out.weights.h5")
    with pytest.raises(IncompleteMatchError):
        render_script(plan)


def test_a_bias_without_a_place_must_be_zero(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    plan = autoport.match(model, torch.nn.Linear(4, 3, bias=False)).plan()
    model.save_weights(tmp_path / "zero.weights.h5")
    apply_plan(plan, tmp_path / "zero.weights.h5", tmp_path / "out.safetensors")
    model.layers[0].bias.assign([0, 1, 0])
    model.save_weights(tmp_path / "one.weights.h5")
    with pytest.raises(IncompleteMatchError, match="bias"):
        apply_plan(plan, tmp_path / "one.weights.h5", tmp_path / "out.safetensors")


PAIR = "from tests.files.models import Net, keras_model\n"
SOURCE, TARGET = "pair.py:keras_model", "pair.py:Net"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pair.py").write_text(PAIR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def run(*args: str) -> Any:
    return CliRunner().invoke(app, list(args))


def test_plan_apply_and_script_on_the_command_line(folder: Path, model: Any, port: Path) -> None:
    model.save_weights("w.weights.h5")
    assert run("plan", SOURCE, TARGET, "-o", "x.plan.json").exit_code == 0
    result = run("apply", "x.plan.json", "w.weights.h5", "-o", "out.safetensors")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "wrote out.safetensors: 13 tensors" in result.stderr
    assert Path("out.safetensors").read_bytes() == port.read_bytes()
    assert run("script", SOURCE, TARGET, "-o", "convert.py").exit_code == 0
    subprocess.run([sys.executable, "convert.py", "w.weights.h5", "script.safetensors"], check=True)
    assert Path("script.safetensors").read_bytes() == port.read_bytes()
    result = run("apply", "x.plan.json", "w.weights.h5", "-o", "out.safetensors", "--shard-size", "500B")
    assert Path("out.safetensors.index.json").exists(), result.stderr


def test_a_folder_of_checkpoints_in_one_go(folder: Path, match: autoport.Match) -> None:
    match.plan().save("x.plan.json")
    Path("in").mkdir()
    for seed in range(3):
        keras_model(seed=seed).save_weights(f"in/run{seed}.weights.h5")
    Path("in/notes.txt").write_text("not weights")
    result = run("apply", "x.plan.json", "in", "-o", "out", "--format", "pt")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in Path("out").iterdir()) == ["run0.pt", "run1.pt", "run2.pt"]
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights("in/run1.weights.h5")
    result = run("apply", "x.plan.json", "in", "-o", "new")
    assert result.exit_code == 2
    assert "1 of 3 files were not carried over" in result.stderr
    assert sorted(path.name for path in Path("new").iterdir()) == ["run0.safetensors", "run2.safetensors"]


def test_a_weights_file_goes_along_with_a_callable(folder: Path, port: Path) -> None:
    tf_keras_model().save_weights("w.h5")
    result = run("port", f"{SOURCE}(seed=7)@w.h5", TARGET, "-o", "out.safetensors", "--no-verify")
    assert result.exit_code == 0, result.stderr
    assert Path("out.safetensors").read_bytes() == port.read_bytes()
    result = run("port", SOURCE, f"{TARGET}@{port}", "--to", "tf", "-o", "back.weights.h5")
    assert result.exit_code == 0, result.stderr
    model = keras_model(seed=4)
    model.load_weights("back.weights.h5")
    np.testing.assert_array_equal(model.weights[0], keras_model().weights[0])


def test_apply_imports_no_framework_where_hdf5_is_read(folder: Path, match: autoport.Match, model: Any) -> None:
    match.plan().save("x.plan.json")
    model.save_weights("w.weights.h5")
    code = (
        "import sys; from autoport.cli import app; "
        "app(['apply', 'x.plan.json', 'w.weights.h5', '-o', 'out.safetensors'], standalone_mode=False); "
        "print(sorted({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(autoport.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "[]\n"


def test_where_weights_cannot_go_is_said_before_they_are_read(match: autoport.Match, tmp_path: Path) -> None:
    for name in ("out.keras", "out.bin", "nowhere/out.safetensors"):
        with pytest.raises(AutoportError, match=r"ends in one of|there is no folder"):
            apply_plan(match.plan(), tmp_path / "never_looked_at", tmp_path / name)
