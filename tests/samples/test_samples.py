"""Every sample pair, ported and checked against an oracle: equal functions or bit-identical tensors."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import autoport
from tests.support import forward_both, keras_float64, randomise_keras, randomise_torch, relative_error

SAMPLES = Path(__file__).parents[2] / "samples"

# sample, arguments of its torch_model, size of the images
EQUAL = [
    pytest.param("digits", {"eps": 1e-3}, (28, 28, 1), id="digits"),
    pytest.param("resnet50_checkpointed", {}, (65, 96, 3), id="resnet50"),
    pytest.param("vgg16_subclassed", {}, (224, 224, 3), id="vgg16", marks=pytest.mark.zoo),
]
MTCNN = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("mtcnn", "joblib", "facenet_pytorch", "torchvision")),
    reason="needs the packages mtcnn and facenet-pytorch",
)


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a sample by its name, as Python does when the sample is run."""
    monkeypatch.syspath_prepend(SAMPLES)
    return importlib.import_module


@pytest.mark.parametrize("direction", ["torch", "tf"])
@pytest.mark.parametrize(("name", "arguments", "size"), EQUAL)
def test_port_makes_the_functions_equal(
    sample: Callable[[str], ModuleType],
    name: str,
    arguments: dict[str, float],
    size: tuple[int, int, int],
    direction: str,
) -> None:
    module = sample(name)
    with keras_float64():
        source = module.keras_model()
    target = module.torch_model(**arguments).double()
    randomise_keras(source, seed=1)
    randomise_torch(target, seed=2)

    match = autoport.match(source, target)
    match.assign(to=direction)

    assert match.complete
    assert not match.differences
    expected, actual = forward_both(source, target, size, seed=3)
    assert relative_error(actual, expected) < 1e-9


def test_digits_report_nothing_but_the_epsilon(sample: Callable[[str], ModuleType]) -> None:
    digits = sample("digits")

    match = autoport.match(digits.keras_model(), digits.torch_model())

    assert match.complete
    assert len(match.differences) == 1
    assert "eps" in str(match.differences[0])


def test_digits_main_shows_both_variants(
    sample: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    sample("digits").main()

    errors = re.findall(r"difference of the scores (\S+) of", capsys.readouterr().out)
    different, equal = map(float, errors)
    assert equal < 1e-5 < different


@MTCNN
def test_trained_mtcnn_tensors_are_bit_identical(sample: Callable[[str], ModuleType]) -> None:
    mtcnn = sample("mtcnn_faces")
    for name, (source, target) in mtcnn.PAIRS.items():
        match = autoport.match(source(), target())
        ported, expected = match.state_dict(), mtcnn.shipped(name)

        assert match.complete
        assert ported.keys() == expected.keys()
        assert [key for key in expected if not mtcnn.same_bits(ported[key], expected[key])] == []


@MTCNN
def test_mtcnn_main_counts_every_tensor(
    sample: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    sample("mtcnn_faces").main()

    assert re.findall(r"(\d+) of (\d+) tensors", capsys.readouterr().out) == [("13",) * 2, ("16",) * 2, ("21",) * 2]


def test_readme_lists_every_sample() -> None:
    with_models = {path.name for path in SAMPLES.glob("*.py") if "def main(" in path.read_text()}

    assert set(re.findall(r"^\| \[`(\w+\.py)`\]", (SAMPLES / "README.md").read_text(), re.MULTILINE)) == with_models
