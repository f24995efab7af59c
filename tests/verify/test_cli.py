"""Verification on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import PAIR, SOURCE, TARGET, run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pair.py").write_text(PAIR)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_equal_models_are_verified_with_exit_code_0(folder: Path) -> None:
    result = run("verify", SOURCE, TARGET, "-o", "proof.json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("verified: relative error ")
    proof = json.loads((folder / "proof.json").read_text())
    assert proof["verification"]["ok"]
    assert proof["verification"]["relative"] < 1e-12


def test_a_difference_is_named_with_its_cause_and_exit_code_1() -> None:
    result = run("verify", SOURCE, "pair.py:Net(eps=1e-05)")
    assert result.exit_code == 1
    assert "divergence at bn (BatchNormalization) and norm (BatchNorm2d)" in result.stdout
    assert "epsilon: 0.001 in Keras, 1e-05 in PyTorch" in result.stdout


def test_a_port_is_verified_unless_not_wanted() -> None:
    assert "verified: " in run("port", SOURCE, TARGET, "-o", "weights.pt").stderr
    assert "verified: " not in run("port", SOURCE, TARGET, "-o", "weights.pt", "--no-verify").stderr
    assert "verified: " in run("port", SOURCE, TARGET, "--to", "tf", "-o", "model.keras").stderr


def test_reconciling_prints_what_it_set_and_a_patch() -> None:
    result = run("verify", SOURCE, "pair.py:Net(eps=1e-05)", "--reconcile")
    assert result.exit_code == 0, result.stdout
    assert "set: norm.eps = 0.001 (was 1e-05)" in result.stdout
    assert "model.get_submodule('norm').eps = 0.001" in result.stdout
    assert "verified: " in result.stdout


def test_logits_are_made_probabilities_on_demand(folder: Path) -> None:
    (folder / "pair.py").write_text(PAIR.replace('name="head"', 'name="head", activation="softmax"'))
    result = run("verify", SOURCE, TARGET, "--reconcile")
    assert result.exit_code == 1
    assert "equal up to the softmax" in result.stdout
    result = run("verify", SOURCE, TARGET, "--reconcile", "--logits")
    assert result.exit_code == 0, result.stdout
    assert "softmax(x, dim=1) behind it" in result.stdout
    assert run("verify", SOURCE, TARGET, "--logits").exit_code == 2
