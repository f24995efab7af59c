"""Private API of Keras and TensorFlow.

Every function imports what it needs when it is called, so a move breaks only what needs it, and nothing is loaded
before. `tests/internals/test_keras.py` uses each for real and names the one that moved.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any


def nested_layers(model: Any) -> list[Any]:
    """A layer of either Keras and all layers inside of it; none for anything else.

    The public `layers` has those of a model only, one level deep.
    """
    return list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else []


def structured_inputs(model: Any) -> Any:
    """The symbolic inputs of a functional model in the structure of its call; None if it has none.

    The public `inputs` is flat, and `input` of a Sequential may belong to another model that calls it.
    """
    structures = (getattr(model, name, None) for name in ("_inputs_struct", "_nested_inputs"))  # Keras 3, tf_keras
    return next((structure for structure in structures if structure is not None), None)


def inner_variables(variable: Any) -> list[Any]:
    """The TensorFlow variable inside of one of Keras 3, or of one of mixed precision of tf_keras; none in any other.

    The public `value` of Keras 3 casts under mixed precision; tf_keras has nothing public.
    """
    inner = (getattr(variable, name, None) for name in ("_value", "_variable"))
    return [holder for holder in inner if holder is not None]


def weights_store(package: str) -> Any:
    """The class through which a Keras (`keras` or `tf_keras`) writes the weights of a `.keras` file.

    The public API saves complete files only, and their names are wanted without their values.
    """
    return importlib.import_module(f"{package}.src.saving.saving_lib").H5IOStore


def save_weights(package: str, model: Any, store: Any) -> None:
    """Lets a Keras write the weights of a model into an instance of `weights_store`."""
    importlib.import_module(f"{package}.src.saving.saving_lib")._save_state(model, store, None, "", set())


def model_of_keras_2(config: Any, safe_mode: bool) -> Any:
    """The model that Keras 3 makes from a configuration that Keras 2 wrote; the public API takes a file only."""
    options = importlib.import_module("keras.src.legacy.saving.saving_options")
    utilities = importlib.import_module("keras.src.legacy.saving.saving_utils")
    library = importlib.import_module("keras.src.saving.serialization_lib")
    with options.keras_option_scope(use_legacy_config=True), library.SafeModeScope(safe_mode):
        return utilities.model_from_config(config)


def autograph(enabled: bool) -> AbstractContextManager[Any]:
    """While it lasts, calls translate Python's control flow on tensors into operations, or do not.

    `tf.autograph.experimental.do_not_convert` is for one function; this also holds for the functions that it calls.
    """
    import tensorflow as tf
    from tensorflow.python.autograph.core import ag_ctx

    status = ag_ctx.Status.ENABLED if enabled else ag_ctx.Status.DISABLED
    context: AbstractContextManager[Any] = ag_ctx.ControlStatusCtx(status, tf.autograph.experimental.Feature.ALL)
    return context


def library_function(graph: Any, name: str) -> Any:
    """The function that operations of a graph call by a name; None if the graph has none of that name."""
    return graph._get_function(name)


def function_body(function: Any, shapes: Sequence[Any] = ()) -> Any:
    """The graph that a function of a graph runs.

    The public `import_graph_def` does not tell which tensors are inputs and outputs.

    Args:
        function: the result of `library_function`.
        shapes: of all inputs, None for a variable; when empty, those that the function was traced with.
    """
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

    definition = deepcopy(function.cached_definition)
    for index in range(len(shapes)):  # recorded shapes would win over those that are passed
        definition.arg_attr[index].attr.pop("_output_shapes", None)
    return function_def_to_graph(definition, input_shapes=shapes or None)


def inlined_graph(function: Any) -> Any:
    """A concrete function as a `GraphDef`, with the operations of every function in place of its call.

    Nothing public inlines calls.
    """
    from tensorflow.python.framework.convert_to_constants import _run_inline_graph_optimization

    return _run_inline_graph_optimization(function, lower_control_flow=False, aggressive_inlining=True)


def execute(kind: str, outputs: int, tensors: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any]:
    """Runs one operation by its type; `tf.raw_ops` has other names for attributes, and lacks some operations.

    Args:
        kind: the type of the operation.
        outputs: how many outputs it has.
        tensors: its inputs.
        attributes: by name, as the eager runtime takes them.
    """
    from tensorflow.python.eager.context import context
    from tensorflow.python.eager.execute import quick_execute

    flat = tuple(item for pair in attributes.items() for item in pair)
    results: list[Any] | None = quick_execute(kind, outputs, list(tensors), flat, context())
    return results or []


def scratch_graph() -> Any:
    """A graph to trace in that may use tensors from outside, as `tf.Graph` may not; `tf.function` is slower."""
    import tensorflow as tf

    return tf.__internal__.FuncGraph("scratch")


def resource_variable() -> Any:
    """The class of variables whose values are in the memory of one process, behind a handle.

    Variables that are spread over devices are `tf.Variable`s, too.
    """
    from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

    return BaseResourceVariable


def uninitialized_variable() -> Any:
    """The class of variables that graphs can read and that have no values; `tf.Variable` needs values."""
    from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

    return UninitializedVariable


def rename_handle(variable: Any, name: str) -> Any:
    """Gives a variable a new handle with a name, and returns the handle.

    Nothing public makes a variable from a handle.
    """
    import tensorflow as tf

    handle = tf.raw_ops.VarHandleOp(dtype=variable.dtype, shape=variable.shape, shared_name=name)
    for attribute in ("_handle_data", "_name", "_unique_id", "_parent_trackable"):
        setattr(handle, attribute, getattr(variable.handle, attribute))
    variable._handle = handle
    return handle


def saved_model_document(data: bytes) -> Any:
    """The content of `saved_model.pb`; the public API only loads the model in it."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString(data)


def argument_name(placeholder: Any) -> str:
    """The name of the argument that a placeholder in a function's graph stands for; its own name may differ."""
    try:
        return str(placeholder.op.get_attr("_user_specified_name").decode())
    except ValueError:
        return str(placeholder.op.name)


def forget_shapes(node: Any) -> None:
    """Drops the recorded shapes and placements of a node of a `GraphDef`, which no longer hold."""
    for name in ("_output_shapes", "_class"):
        node.attr.pop(name, None)


def objects_of_checkpoint(data: bytes) -> Any:
    """The objects in a checkpoint of TensorFlow, with the names of their variables.

    `tf.train.load_checkpoint` returns them as bytes, and `tf.train.list_variables` has other names.
    """
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    return TrackableObjectGraph.FromString(data).nodes


def variable_definition(data: bytes) -> list[str]:
    """The operations that a variable of TensorFlow 1 names in a collection; none where the bytes are something else.

    The public API makes variables from it only.
    """
    from tensorflow.core.framework.variable_pb2 import VariableDef

    try:
        found = VariableDef.FromString(data)
    except Exception:  # protobuf has several implementations, each with its own errors
        return []
    return [found.variable_name, found.initializer_name, found.snapshot_name, found.initial_value_name]
