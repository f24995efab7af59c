"""What the rows of a report say of two models."""

from __future__ import annotations

from autoport.facts.reasons import Code, Reason
from autoport.report import Report, Row, Status, build_report
from autoport.report.rows.rows import Count
from tests.report import models


def row_of(report: Report, place: str) -> Row:
    """The row of a layer of either model."""
    return next(row for row in report.rows if place in (row.tf, row.torch))


def expressions(row: Row) -> dict[str, str]:
    """Transforms of a row by PyTorch tensor, or by Keras tensor where there is none."""
    return {(t.torch or t.tf)[-1].path: t.expression for t in row.tensors}


def test_equal_models_are_the_same_even_if_training_differs_or_a_layer_is_never_called() -> None:
    report = build_report(models.normed(momentum=0.1).analysis)
    assert report.same
    assert report.complete
    assert report.tf_tensors == report.torch_tensors == Count(8, 8)
    assert report.pairs == 3
    assert [d.name for d in report.differences] == ["momentum"]
    assert row_of(report, "bn").status is Status.SAME
    spare = row_of(report, "spare.weight")
    assert spare.status is Status.TORCH_ONLY
    assert spare.unread
    assert spare.reason == "not read by the forward pass"


def test_rows_name_layers_kinds_tensors_and_shapes_of_both_sides() -> None:
    row = row_of(build_report(models.normed().analysis), "conv")
    assert (row.status, row.tf, row.tf_kind, row.torch, row.torch_kind) == ("=", "conv", "Conv2D", "first", "Conv2d")
    kernel = row.tensors[0]
    assert kernel.roles == ("kernel",)
    assert kernel.expression == "h w i o -> o i h w"
    assert kernel.tf[0].path.endswith("conv/kernel")
    assert (kernel.tf[0].shape, kernel.torch[0].shape) == ((3, 3, 3, 4), (4, 3, 3, 3))
    assert kernel.torch[0].path == "first.weight"
    assert row.reason


def test_a_permuted_dense_layer_is_worth_seeing() -> None:
    row = row_of(build_report(models.normed().analysis), "last")
    assert row.status is Status.TRANSFORMED
    assert expressions(row)["last.weight"] == "(h w c) o -> o (c h w)"
    assert [str(t.status) for t in row.tensors] == ["~", "="]


def test_a_hyper_parameter_that_differs_is_told_at_its_row() -> None:
    report = build_report(models.normed(eps=1e-5).analysis)
    row = row_of(report, "bn")
    assert row.status is Status.DIFFERENT
    assert [(d.name, d.tf_value, d.torch_value) for d in row.differences] == [("epsilon", "0.001", "1e-05")]
    assert report.complete
    assert not report.same


def test_a_weightless_operation_that_differs_has_a_row() -> None:
    report = build_report(models.activations().analysis)
    assert [str(row.status) for row in report.listed] == ["=", "!"]
    assert report.listed[1].differences == report.differences
    assert not report.same


def test_layers_on_one_side_stand_where_they_belong_with_the_reason() -> None:
    report = build_report(models.uneven().analysis)
    assert [(str(row.status), row.tf, row.torch) for row in report.listed] == [
        ("=", "a", "0"),
        ("=", "b", "1"),
        ("+", "", "2"),
        ("-", "ln", ""),
        ("=", "c", "3"),
    ]
    assert all(row.reason for row in report.rows)
    assert not report.same
    assert report.torch_tensors == Count(6, 8)


def test_a_bias_without_a_place_has_a_row_of_its_own() -> None:
    report = build_report(models.lost_bias().analysis)
    assert not report.same
    lost = next(row for row in report.rows if row.status is Status.TF_ONLY)
    assert lost.tf.endswith("a/bias")
    assert lost.tf_kind == "tensor"
    assert "the target has no such bias" in lost.reason
    assert len(row_of(report, "a").tensors) == 1
    assert report.tf_tensors == Count(3, 4)


def test_an_absorbed_bias_says_what_carries_it() -> None:
    report = build_report(models.normed(bias=False).analysis)
    assert report.same
    conv, norm = expressions(row_of(report, "conv")), expressions(row_of(report, "bn"))
    assert next(text for path, text in conv.items() if path.endswith("bias")) == "o -> absorbed by norm.running_mean"
    assert norm["norm.running_mean"].startswith("c - ")
    assert norm["norm.running_mean"].endswith("conv/bias -> c")
    assert row_of(report, "bn").status is Status.TRANSFORMED


def test_gates_are_one_line_for_each_stored_tensor() -> None:
    report = build_report(models.recurrent().analysis)
    assert [(row.tf, row.torch) for row in report.listed] == [("gates", "gru"), ("both", "lstm")]
    gru, lstm = (expressions(row) for row in report.listed)
    assert gru["gru.weight_ih_l0"] == "i (gate u) -> (gate u) i [gate=0,1,2 -> gate=1,0,2]"
    assert gru["gru.bias_hh_l0"] == "row (gate u) -> (gate u) [gate=0,1,2, row=1 -> gate=1,0,2]"
    assert lstm["lstm.weight_ih_l0"] == "i (gate u) -> (gate u) i"
    assert lstm["lstm.bias_hh_l0_reverse"] == "(gate u) -> (gate u) + (gate u)"
    kernel = report.listed[1].tensors[0]
    assert kernel.status is Status.SAME
    assert kernel.roles == ("kernel_i", "kernel_f", "kernel_g", "kernel_o")


def test_what_fits_several_partners_is_marked_as_ambiguous() -> None:
    match = models.uneven()
    match.unmatched_tf[:] = [
        type(row)(row.op, row.tensors, Reason.of(Code.SEVERAL_PARTNERS, number=2)) for row in match.unmatched_tf
    ]
    row = row_of(build_report(match.analysis), "ln")
    assert row.status is Status.AMBIGUOUS
    assert row.reason.startswith("ambiguous: 2")
