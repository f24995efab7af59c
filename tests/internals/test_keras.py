"""Private API of Keras and TensorFlow is where it was, and a move is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from autoport.internals import keras as internals
from tests.internals.moved import Check, functions_of, never, run

PACKAGES = "keras tf_keras tensorflow"
BOTH: tuple[Any, ...] = (keras, tf_keras)


def model_of(library: Any) -> Any:
    inputs = {"a": library.Input((4,), name="a"), "b": library.Input((4,), name="b")}
    inner = library.Sequential([library.layers.Dense(3, name="inside")], name="inner")
    return library.Model(inputs, inner(inputs["a"]) + inner(inputs["b"]))


def doubled(spec: Any = None) -> Any:
    @tf.function(input_signature=[spec or tf.TensorSpec([None, 3])])
    def double(x: Any) -> Any:
        return x * 2

    return double


def traced(function: Callable[..., Any], *shape: int) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec(shape))


def nested_layers() -> None:
    for library in BOTH:
        assert {"inner", "inside"} <= {layer.name for layer in internals.nested_layers(model_of(library))}
    assert internals.nested_layers(len) == []


def structured_inputs() -> None:
    for library in BOTH:
        assert set(internals.structured_inputs(model_of(library))) == {"a", "b"}
    assert internals.structured_inputs(keras.layers.Dense(3)) is None


def inner_variables() -> None:
    variable = keras.Variable(np.ones(3))
    assert [type(holder) for holder in internals.inner_variables(variable)] == [type(variable.value)]
    layer = tf_keras.layers.Dense(2, dtype="mixed_float16")
    layer.build((None, 3))
    assert [isinstance(holder, tf.Variable) for holder in internals.inner_variables(layer.kernel)] == [True]
    assert internals.inner_variables(tf.Variable(1.0)) == []


def weights_store() -> None:
    for library in BOTH:
        store = internals.weights_store(library.__name__)
        assert callable(store.make)
        assert store.__module__.startswith(library.__name__)


def save_weights() -> None:
    """It writes what `save_weights` of the model writes."""
    for library in BOTH:
        model = model_of(library)
        with TemporaryDirectory() as folder:
            place = Path(folder) / "model.weights.h5"
            store = internals.weights_store(library.__name__)(str(place), mode="w")
            internals.save_weights(library.__name__, model, store)
            store.close()
            before = model.get_weights()
            model.set_weights([np.zeros_like(array) for array in before])
            model.load_weights(place)
        np.testing.assert_equal(model.get_weights(), before)


def model_of_keras_2() -> None:
    old = {
        "class_name": "Sequential",
        "config": {
            "name": "old",
            "layers": [
                {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "x"}},
                {"class_name": "Dense", "config": {"name": "d", "units": 3, "activation": "relu"}},
            ],
        },
    }
    assert internals.model_of_keras_2(old, safe_mode=True).output_shape == (None, 3)


def autograph() -> None:
    """Control flow on a tensor is translated with it, and fails without it."""

    def choose(x: Any) -> Any:
        return x if tf.reduce_sum(x) > 0 else -x

    def run_with(enabled: bool) -> Any:
        def forward(x: Any) -> Any:
            with internals.autograph(enabled):
                return tf.__internal__.autograph.tf_convert(choose, internals_status())(x)

        return traced(forward, 3)

    assert "If" in {op.type.removeprefix("Stateless") for op in run_with(True).graph.get_operations()}
    with pytest.raises(TypeError, match="symbolic"):
        run_with(False)


def internals_status() -> Any:
    return tf.__internal__.autograph.control_status_ctx()


def library_function() -> None:
    graph = traced(doubled(), 2, 3).graph
    (call,) = (op for op in graph.get_operations() if "Call" in op.type)
    assert internals.library_function(graph, call.get_attr("f").name) is not None
    assert internals.library_function(graph, "no such function") is None


def function_body() -> None:
    graph = traced(doubled(), 2, 3).graph
    (call,) = (op for op in graph.get_operations() if "Call" in op.type)
    function = internals.library_function(graph, call.get_attr("f").name)
    assert [t.shape.as_list() for t in internals.function_body(function).inputs] == [[None, 3]]
    body = internals.function_body(function, [tf.TensorShape([2, 3])])
    assert [t.shape.as_list() for t in body.inputs] == [[2, 3]]
    assert "Mul" in {op.type for op in body.get_operations()}
    assert len(body.outputs) == 1


def inlined_graph() -> None:
    flat = internals.inlined_graph(traced(doubled(), 2, 3))
    kinds = {node.op for node in flat.node}
    assert "Mul" in kinds
    assert not any("Call" in kind for kind in kinds)


def execute() -> None:
    with tf.device("/CPU:0"):
        made = internals.execute("Add", 1, [tf.constant(1.0), tf.constant(2.0)], {"T": tf.float32.as_datatype_enum})
        assert internals.execute("NoOp", 0, [], {}) == []
    assert [float(tensor) for tensor in made] == [3.0]


def scratch_graph() -> None:
    outside = tf.constant([1.0, 2.0])
    with internals.scratch_graph().as_default():
        made = outside + tf.random.normal((2,))
    assert tf.is_symbolic_tensor(made)
    assert made.shape == (2,)


def resource_variable() -> None:
    assert isinstance(tf.Variable(1.0), internals.resource_variable())
    assert callable(internals.resource_variable().numpy)
    with tf.distribute.MirroredStrategy(["/CPU:0"]).scope():
        assert not isinstance(tf.Variable(1.0), internals.resource_variable())


def uninitialized_variable() -> None:
    variable = internals.uninitialized_variable()(shape=(3,), dtype=tf.float32)
    assert not variable.is_initialized()
    variable.assign([1.0, 2.0, 3.0])
    assert variable.numpy().tolist() == [1.0, 2.0, 3.0]


def rename_handle() -> None:
    """Reading raises until something is assigned, and functions can capture the variable."""
    variable = internals.uninitialized_variable()(shape=(3,), dtype=tf.float32, name="v")
    handle = internals.rename_handle(variable, "autoport-test")
    assert variable.handle is handle
    with pytest.raises(tf.errors.FailedPreconditionError):
        variable.read_value()
    concrete = traced(lambda x: x + variable, 3)
    variable.assign([1.0, 2.0, 3.0])
    assert concrete(tf.zeros(3)).numpy().tolist() == [1.0, 2.0, 3.0]


def saved(folder: str) -> Any:
    module = tf.Module()
    module.double = doubled(tf.TensorSpec([None, 3], name="given"))
    tf.saved_model.save(module, folder)
    return tf.saved_model.load(folder)


def saved_model_document() -> None:
    with TemporaryDirectory() as folder:
        saved(folder)
        document = internals.saved_model_document((Path(folder) / "saved_model.pb").read_bytes())
    functions = document.meta_graphs[0].graph_def.library.function
    assert "Mul" in {node.op for function in functions for node in function.node_def}


def argument_name() -> None:
    with TemporaryDirectory() as folder:
        function = saved(folder).double.concrete_functions[0]
    assert internals.argument_name(function.inputs[0]) == "given"
    with tf.Graph().as_default():
        assert internals.argument_name(tf.compat.v1.placeholder(tf.float32, name="plain")) == "plain"


def forget_shapes() -> None:
    """A node that was written down for one shape is taken for another."""
    graph = traced(lambda x: x * 2, 2, 3).graph.as_graph_def(add_shapes=True)
    assert any("_output_shapes" in node.attr for node in graph.node)
    for node in graph.node:
        internals.forget_shapes(node)
    with tf.Graph().as_default():
        given = tf.compat.v1.placeholder(tf.float32, (5,))
        (product,) = tf.graph_util.import_graph_def(graph, {"x:0": given}, return_elements=["mul:0"])
    assert product.shape == (5,)


def objects_of_checkpoint() -> None:
    module = tf.Module()
    module.weight = tf.Variable([1.0, 2.0], name="called")
    with TemporaryDirectory() as folder:
        reader = tf.train.load_checkpoint(tf.train.Checkpoint(module=module).write(f"{folder}/checkpoint"))
        objects = internals.objects_of_checkpoint(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    attributes = [(a.full_name, a.checkpoint_key) for node in objects for a in node.attributes]
    assert ("called", "module/weight/.ATTRIBUTES/VARIABLE_VALUE") in attributes


def variable_definition() -> None:
    with tf.Graph().as_default():
        variable = tf.compat.v1.get_variable("v", (2,), use_resource=False)
        names = internals.variable_definition(variable.to_proto().SerializeToString())
    assert names[:2] == ["v:0", "v/Assign"]
    assert internals.variable_definition(b"\xff") == []


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        nested_layers,
        structured_inputs,
        inner_variables,
        weights_store,
        save_weights,
        model_of_keras_2,
        autograph,
        library_function,
        function_body,
        inlined_graph,
        execute,
        scratch_graph,
        resource_variable,
        uninitialized_variable,
        rename_handle,
        saved_model_document,
        argument_name,
        forget_shapes,
        objects_of_checkpoint,
        variable_definition,
    )
}


@pytest.mark.parametrize("name", functions_of(internals))
def test_private_api_of_keras_and_tensorflow_works_with_the_installed_version(name: str) -> None:
    run(internals, name, CHECKS, PACKAGES)


def test_an_internal_that_has_gone_is_named_with_its_use_and_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.Layer, "_flatten_layers", never)
    with pytest.raises(pytest.fail.Exception) as failure:
        run(internals, "nested_layers", CHECKS, PACKAGES)
    text = str(failure.value)
    assert f"autoport.internals.keras.nested_layers no longer works with keras {keras.__version__}" in text
    assert "A layer of either Keras and all layers inside of it" in text
