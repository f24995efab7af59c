"""The command line as its user meets it: exit codes, what stands where, and files that are whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

import autoport
from autoport.cli import app
from autoport.loading.by_name import load_keras, load_torch

PAIR = """
import keras
import torch
from keras import layers
from torch import nn

print("hello from the models")


def keras_model(size=6, extra=False):
    keras.utils.set_random_seed(7)
    stack = [layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="bn"), layers.ReLU()]
    stack += [layers.LayerNormalization(name="surplus")] if extra else []
    stack += [layers.GlobalAveragePooling2D(), layers.Dense(2, name="head")]
    model = keras.Sequential([keras.Input((size, size, 3)), *stack])
    for weight in model.weights:
        weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5))
    return model


def mirrored():
    stack = [layers.Conv2D(4, 3), layers.Lambda(lambda x: x[:, ::-1]), layers.ReLU(), layers.Conv2D(2, 3)]
    return keras.Sequential([keras.Input((6, 6, 3)), *stack])


class Mirrored(nn.Module):
    def __init__(self):
        super().__init__()
        self.last, self.first = nn.Conv2d(4, 2, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)[:, :, [3, 2, 1, 0]]))


class Net(nn.Module):
    def __init__(self, eps=1e-3, momentum=0.1):
        super().__init__()
        torch.manual_seed(3)
        self.last = nn.Linear(4, 2)
        self.norm = nn.BatchNorm2d(4, eps=eps, momentum=momentum)
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))).mean((2, 3)))


def hostile():
    net = nn.Sequential()
    net.add_module("[red]a", nn.Conv2d(3, 4, 3))
    net.add_module("\\x1b[31mb", nn.BatchNorm2d(4, eps=1e-3))
    net.add_module("c", nn.ReLU())
    net.add_module("d", nn.AdaptiveAvgPool2d(1))
    net.add_module("e", nn.Flatten())
    net.add_module("f|g", nn.Linear(4, 2))
    return net


def picky():
    raise RuntimeError("\\x1b[1mno luck\\x1b[0m")


def unbuilt():
    return keras.Sequential([layers.Dense(3)])


def other():
    return nn.Sequential(nn.Linear(3, 3))
"""
SOURCE, TARGET = "pair.py:keras_model", "pair.py:Net"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a pair of models in it."""
    (tmp_path / "pair.py").write_text(PAIR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def run(*args: str) -> Result:
    """What a command gives."""
    return CliRunner().invoke(app, list(args))


def outputs(model: Any, module: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """What both models make of the same image."""
    image = np.random.default_rng(1).standard_normal((2, 6, 6, 3)).astype("float32")
    with torch.no_grad():
        mine = module.eval()(torch.from_numpy(image).permute(0, 3, 1, 2)).numpy()
    return np.asarray(model(image, training=False)), mine


def listing(folder: Path) -> set[str]:
    """Names of the files, without what Python leaves."""
    return {path.name for path in folder.iterdir()} - {"__pycache__"}


def test_a_report_of_equal_models_is_the_table_and_exit_code_0() -> None:
    result = run("report", SOURCE, TARGET)
    assert result.exit_code == 0
    assert result.stdout.startswith("Matched  8 of 8 Keras and 8 of 8 PyTorch tensors, in 3 layers\n")
    assert "in training only" in result.stdout
    assert "hello" not in result.stdout


def test_a_difference_is_exit_code_1_and_told_with_both_values() -> None:
    result = run("report", SOURCE, "pair.py:Net(eps=1e-05)")
    assert result.exit_code == 1
    assert "epsilon: 0.001 in Keras, 1e-05 in PyTorch" in result.stdout


def test_a_layer_without_a_partner_is_exit_code_1() -> None:
    result = run("report", "pair.py:keras_model(extra=True)", TARGET)
    assert result.exit_code == 1
    assert "\n-   surplus" in result.stdout


def test_json_is_all_there_is_on_stdout() -> None:
    result = run("report", SOURCE, "pair.py:Net(eps=1e-05)", "--format", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["version"], document["same"]) == (1, 2, False)


def test_a_report_goes_to_a_file_and_nothing_to_stdout(folder: Path) -> None:
    (folder / "report.md").write_text("old")
    result = run("report", SOURCE, TARGET, "-o", "report.md")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (folder / "report.md").read_text().startswith("- **Matched:**")
    assert listing(folder) == {"pair.py", "report.md"}


def test_the_suffix_of_a_report_names_its_format_and_several_are_written_at_once(folder: Path) -> None:
    result = run("report", SOURCE, TARGET, "-o", "report.html", "-o", "report.json", "-o", "pair.explorer")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((folder / "report.json").read_text())["same"]
    assert (folder / "pair.explorer" / "graphs.json").exists()


def test_where_a_report_cannot_go_is_said_before_any_work() -> None:
    for name, said in (("report.pdf", "ends in one of .txt, .md"), ("nowhere/report.md", "there is no folder nowhere")):
        result = run("report", "never.py:looked_at", "never.py:looked_at", "-o", name)
        assert result.exit_code == 2
        assert said in result.stderr


def test_check_is_one_line_and_an_exit_code() -> None:
    same, other = (run("report", SOURCE, target, "--check") for target in (TARGET, "pair.py:Net(eps=1e-05)"))
    assert (same.exit_code, other.exit_code) == (0, 1)
    assert same.stdout == "same: 8 of 8 Keras and 8 of 8 PyTorch tensors, in 3 layers\n"
    assert other.stdout == "not the same: 1 difference (epsilon); 1 more in training only\n"


def test_open_shows_the_page_in_the_browser(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: not opened.append(url))
    result = run("report", SOURCE, TARGET, "--open")
    assert (result.exit_code, result.stdout) == (0, "")
    place = Path(opened[0].removeprefix("file://"))
    assert place.read_text().startswith("<!DOCTYPE html>")
    assert f"opened {place}" in result.stderr
    run("report", SOURCE, TARGET, "--open", "-o", "mine.html")
    assert opened[1] == (folder / "mine.html").as_uri()


def test_verify_puts_errors_and_causes_into_the_report() -> None:
    result = run("report", SOURCE, "pair.py:Net(eps=1e-05)", "--verify")
    assert result.exit_code == 1
    assert "cause: epsilon" in result.stdout
    assert "1 divergence (relative error" in " ".join(result.stdout.split())
    assert "verified to" in run("report", SOURCE, TARGET, "--verify", "--check").stdout


def test_names_in_models_are_text() -> None:
    table = run("report", SOURCE, "pair.py:hostile").stdout
    assert "[red]a (Conv2d)" in table
    assert "\x1b" not in table
    assert "\\x1b[31mb" in table
    assert "`f\\|g`" in run("report", SOURCE, "pair.py:hostile", "--format", "markdown").stdout


def test_input_gives_the_shape_of_the_example() -> None:
    open_size = "pair.py:keras_model(size=None)"
    assert run("report", open_size, TARGET, "--input", "1x9x11x3").exit_code == 0
    wrong = run("report", open_size, TARGET, "--input", "1x9x11x4")
    assert wrong.exit_code == 2
    assert "[1, 4, 9, 11]" in wrong.stderr
    assert "is not a shape" in run("report", open_size, TARGET, "--input", "1x9xx3").stderr


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("pair.py:keras_modl", TARGET, "did you mean keras_model"),
        ("missing.py:f", TARGET, "there is no file missing.py"),
        ("missing.keras", TARGET, "missing.keras does not exist"),
        (TARGET, SOURCE, "SOURCE is always the Keras model and TARGET the PyTorch model"),
        ("weights.pt", TARGET, "a state dict"),
        (SOURCE, "weights.safetensors", "a state dict"),
        (SOURCE, "pair.py:picky", "calling picky raised RuntimeError: no luck"),
        ("pair.py:unbuilt", TARGET, "is not built"),
        (SOURCE, "pair.py:other", "autoport: "),
    ],
)
def test_trouble_is_one_message_on_stderr_and_exit_code_2(folder: Path, source: str, target: str, said: str) -> None:
    for command in (["report"], ["port", "-o", "out.safetensors"]):
        result = run(*command, source, target)
        assert result.exit_code == 2
        assert said in result.stderr
        assert "Traceback" not in result.stderr
        assert "\x1b" not in result.stderr
        assert result.stdout == ""
    assert listing(folder) == {"pair.py"}


def test_debug_shows_the_traceback() -> None:
    result = run("report", SOURCE, "pair.py:picky", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "in picky" in result.stderr


def test_an_unexpected_error_says_how_to_learn_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("autoport.api.match", fail)
    result = run("report", SOURCE, TARGET)
    assert result.exit_code == 2
    assert "internal error, please report it: ZeroDivisionError: oh (--debug shows where)" in result.stderr


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt", "weights.pth"])
def test_port_writes_a_state_dict_with_which_both_models_agree(folder: Path, name: str) -> None:
    result = run("port", SOURCE, TARGET, "-o", name)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"wrote {name}: 8 tensors" in result.stderr
    module = load_torch(TARGET)
    state = load_file(name) if name.endswith(".safetensors") else torch.load(name, weights_only=True)
    module.load_state_dict(state, strict=True)
    np.testing.assert_allclose(*outputs(load_keras(SOURCE), module), rtol=1e-5, atol=1e-6)
    assert listing(folder) == {"pair.py", name}


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_port_to_tf_writes_what_keras_loads(folder: Path, name: str) -> None:
    result = run("port", SOURCE, TARGET, "--to", "tf", "-o", name)
    assert (result.exit_code, result.stdout) == (0, "")
    model = load_keras(SOURCE)
    if name.endswith(".keras"):
        model = keras.models.load_model(name)
    else:
        model.load_weights(name)
    np.testing.assert_allclose(*outputs(model, load_torch(TARGET)), rtol=1e-5, atol=1e-6)
    assert listing(folder) == {"pair.py", name}


def test_port_of_models_that_differ_writes_warns_and_ends_with_1(folder: Path) -> None:
    result = run("port", SOURCE, "pair.py:Net(eps=1e-05)", "-o", "weights.safetensors")
    assert result.exit_code == 1
    assert "difference: epsilon: 0.001 at bn" in result.stderr
    assert "weights.safetensors" in listing(folder)


def test_another_spelling_is_a_difference_until_it_is_proved_to_be_none(folder: Path) -> None:
    pair = ("pair.py:mirrored", "pair.py:Mirrored")
    proved = run("port", *pair, "-o", "weights.safetensors")
    assert proved.exit_code == 0, proved.stderr
    assert "difference: " not in proved.stderr
    assert "1 difference of spelling only, proved equal\n" in proved.stderr
    unproved = run("port", *pair, "-o", "weights.safetensors", "--no-verify")
    assert unproved.exit_code == 1
    assert "difference: operation: flip" in unproved.stderr
    assert [run("report", *pair, *more).exit_code for more in ((), ("--verify",))] == [1, 0]


def test_port_of_an_incomplete_match_writes_nothing(folder: Path) -> None:
    (folder / "weights.pt").write_text("old")
    result = run("port", "pair.py:keras_model(extra=True)", TARGET, "-o", "weights.pt")
    assert result.exit_code == 2
    assert "surplus" in result.stderr
    assert (folder / "weights.pt").read_text() == "old"


@pytest.mark.parametrize(
    ("name", "direction", "writer"),
    [
        ("weights.safetensors", "torch", "autoport.files.safetensors.write_safetensors"),
        ("weights.pt", "torch", "torch.save"),
        ("model.keras", "tf", "keras.Model.save"),
    ],
)
def test_an_old_file_is_whole_after_a_crash_in_the_middle(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, direction: str, writer: str
) -> None:
    def half(_: object, place: Path, *args: object) -> None:
        place.write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(writer, half)
    (folder / name).write_text("old")
    result = run("port", SOURCE, TARGET, "-o", name, "--to", direction)
    assert result.exit_code == 2
    assert f"{name} could not be written: no space left on device" in result.stderr
    assert (folder / name).read_text() == "old"
    assert listing(folder) == {"pair.py", name}


@pytest.mark.parametrize(
    ("name", "direction", "said"),
    [
        ("weights.bin", "torch", "ends in one of .safetensors, .pt, .pth"),
        ("weights.safetensors", "tf", "ends in one of .weights.h5, .keras"),
        ("nowhere/weights.pt", "torch", "there is no folder nowhere"),
    ],
)
def test_where_weights_cannot_go_is_said_before_any_work(name: str, direction: str, said: str) -> None:
    result = run("port", "never.py:looked_at", "never.py:looked_at", "-o", name, "--to", direction)
    assert result.exit_code == 2
    assert said in result.stderr


def test_wrong_usage_is_exit_code_2() -> None:
    assert run("report", SOURCE).exit_code == 2
    assert run("port", SOURCE, TARGET).exit_code == 2
    assert run("report", SOURCE, TARGET, "--format", "pdf").exit_code == 2


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"autoport {autoport.__version__}\n")


def test_help_imports_no_framework() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from autoport.cli import app; "
        "result = CliRunner().invoke(app, ['--help']); assert 'report' in result.stdout; "
        "print(sorted({'torch', 'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    assert _python("-c", code).stdout == "[]\n"


def test_a_terminal_sees_nothing_but_the_answer() -> None:
    result = _python("-m", "autoport.cli", "report", SOURCE, TARGET)
    assert result.returncode == 0
    assert result.stdout.startswith("Matched")
    assert result.stderr == "hello from the models\n"


def _python(*args: str) -> subprocess.CompletedProcess[str]:
    # The package may not be installed: its folder is where the child looks, too.
    env = {**os.environ, "PYTHONPATH": str(Path(autoport.__file__).parents[1])}
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False, env=env)
