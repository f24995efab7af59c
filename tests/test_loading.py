"""Models by name: what can be named, and what is said when it cannot be loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from torch import nn

from autoport.errors import FileError, InputError, LoadError
from autoport.loading.by_name import load_keras, load_torch
from autoport.loading.name import parse_name
from autoport.loading.shapes import example_inputs, parse_shape

MODELS = """
import keras
from torch import nn

class Net(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.layer = nn.Linear(3, width)

class Makers:
    @staticmethod
    def wide():
        return Net(7)

def keras_model(units=2):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])

def broken():
    raise RuntimeError("no luck today")

def leaves():
    raise SystemExit("usage: something")

def number():
    return 3

ready = Net(5)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own; what is imported from it is forgotten afterwards."""
    known, places = set(sys.modules), list(sys.path)
    (tmp_path / "models_here.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = places
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_name_is_module_attributes_and_literal_arguments() -> None:
    name = parse_name("keras.applications:VGG16(weights=None, input_shape=(8, -8, 3))")
    assert (name.where, name.attributes, name.args) == ("keras.applications", ("VGG16",), ())
    assert name.kwargs == {"weights": None, "input_shape": (8, -8, 3)}
    assert parse_name("a.py:b.c.d").attributes == ("b", "c", "d")
    assert parse_name("a:b").args is None
    assert parse_name("a:b('x:y')").args == ("x:y",)
    assert parse_name(r"C:\models\net.py:Net").where == r"C:\models\net.py"


@pytest.mark.parametrize(
    "text", ["a:b(c)", "a:b(__import__('os'))", "a:b(**{'c': 1})", "a:b(*[1])", "a:b[0]", "a:b(", "a:b; c", "a:b()()"]
)
def test_arguments_are_literals_and_nothing_is_evaluated(text: str) -> None:
    with pytest.raises(LoadError, match="call with literal arguments"):
        parse_name(text)


@pytest.mark.parametrize("text", ["torchvision.models.vgg16", "", ":", "a:", ":b"])
def test_what_is_no_name_is_told_how_names_look(text: str) -> None:
    with pytest.raises(LoadError, match=r"package\.module:callable"):
        parse_name(text)


def test_models_come_from_files_and_from_modules_of_the_working_directory(folder: Path) -> None:
    assert load_torch("models_here.py:Net").layer.out_features == 2
    assert load_torch(f"{folder}/models_here.py:Net(4)").layer.out_features == 4
    assert load_torch("models_here:Net(width=6)").layer.out_features == 6
    assert load_torch("models_here:Makers.wide").layer.out_features == 7
    assert load_torch("models_here:ready").layer.out_features == 5
    assert load_keras("models_here:keras_model(units=9)").output_shape == (None, 9)
    assert isinstance(load_torch("torch.nn:Linear(2, 3)"), nn.Linear)


def test_a_file_imports_its_neighbours_and_is_loaded_once(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "parts_here.py").write_text("WIDTH = 8\n")
    (inner / "models_here.py").write_text(
        "from parts_here import WIDTH\nfrom torch import nn\nNET = nn.Linear(1, WIDTH)\n"
    )
    assert load_torch("models_here.py:ready") is load_torch("./models_here.py:ready")
    assert load_torch("inner/models_here.py:NET").out_features == 8
    assert load_torch("models_here.py:ready").layer.out_features == 5


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_files_are_loaded(folder: Path, suffix: str) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(folder / f"model{suffix}")
    loaded = load_keras(f"model{suffix}")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_safe_mode_stays_on(folder: Path) -> None:
    layer = keras.layers.Lambda(lambda x: x * 2)
    keras.Sequential([keras.Input((3,)), layer]).save(folder / "code.keras")
    with pytest.raises(
        FileError, match=r"code\.keras: building this model runs a Lambda layer.*--trust-code allows it"
    ):
        load_keras("code.keras")
    assert load_keras("code.keras", trust_code=True).layers[-1].name.startswith("lambda")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modls_here.py:Net", r"there is no file modls_here\.py; did you mean models_here\.py\?"),
        ("modls_here:Net", r"there is no module 'modls_here'; did you mean models_here\?"),
        ("torch.optimm:Adam", r"there is no module 'torch\.optimm'; did you mean optim"),
        ("models_here:Nett", r"models_here has no 'Nett'; did you mean Net\?"),
        ("models_here:Makers.wid", r"models_here\.Makers has no 'wid'; did you mean wide\?"),
        ("models_here:broken", r"calling broken raised RuntimeError: no luck today \(at .*models_here\.py:\d+\)"),
        ("models_here:leaves", "calling leaves raised SystemExit: usage"),
        ("models_here:Net(1, 2, 3)", "calling Net raised TypeError"),
        ("models_here:number", "gives an object of type int, not a PyTorch model"),
        ("models_here:__name__", "__name__ is a str, neither a model nor callable"),
        ("models_here:ready(3)", "ready is a model already; leave the arguments out"),
        ("models_here:keras_model", "gives the Keras model Sequential, but TARGET is the PyTorch model"),
        ("weights.pt", r"TARGET weights\.pt holds weights only \(a state dict\).*name the PyTorch model as"),
        ("weights.safetensors", r"holds weights only"),
        ("model.keras", "is a Keras file; TARGET is the PyTorch model"),
    ],
)
def test_what_cannot_be_a_target_is_named_with_what_to_do(folder: Path, text: str, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        load_torch(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weights.pth", r"SOURCE weights\.pth holds weights only \(a state dict\).*name the Keras model"),
        ("model.weights.h5", "holds weights only"),
        ("model.keras", r"model\.keras does not exist"),
        ("models_here:Net", "gives the PyTorch model Net, but SOURCE is the Keras model"),
    ],
)
def test_what_cannot_be_a_source_is_named_with_what_to_do(folder: Path, text: str, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        load_keras(text)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import not_there_at_all", "needs 'not_there_at_all', which is not installed"),
        ("1 +", "raised SyntaxError"),
        ("raise ValueError('at import')", "raised ValueError: at import"),
        ("raise SystemExit(3)", "raised SystemExit"),
    ],
)
def test_a_file_that_fails_is_named_and_can_be_mended(folder: Path, code: str, said: str) -> None:
    file = folder / "failing_here.py"
    file.write_text(code)
    for name in ("failing_here.py:Net", "failing_here:Net"):
        with pytest.raises(LoadError, match=said):
            load_torch(name)
    assert "failing_here" not in sys.modules


def test_a_keras_file_that_is_none_is_named(folder: Path) -> None:
    (folder / "text.keras").write_text("nothing")
    with pytest.raises(FileError, match=r"text\.keras is not a \.keras file, or it is damaged"):
        load_keras("text.keras")


@pytest.mark.parametrize("text", ["2x224x224x3", "2,224,224,3", "(2, 224, 224, 3)", "2 x 224 x 224 x 3"])
def test_shapes_are_sizes_between_crosses_or_commas(text: str) -> None:
    assert parse_shape(text) == (2, 224, 224, 3)


@pytest.mark.parametrize("text", ["", "2xx3", "axb", "2x-3", "2x0x3", "2.5x3", "2x3x"])
def test_what_is_no_shape_is_named(text: str) -> None:
    with pytest.raises(InputError, match="is not a shape"):
        parse_shape(text)


def test_inputs_are_seeded_and_of_the_declared_type() -> None:
    words, image = keras.Input((7,), dtype="int32"), keras.Input((3,))
    x = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(words))
    model = keras.Model([words, image], keras.layers.Concatenate()([x, image]))
    first, second = (example_inputs(model, [(2, 7), (2, 3)]) for _ in range(2))
    assert [a.dtype.kind for a in first] == ["i", "f"]
    assert [a.shape for a in first] == [(2, 7), (2, 3)]
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert example_inputs(model, [(4, 7)]).shape == (4, 7)
