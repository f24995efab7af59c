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
    """The symbolic inputs of a functional model in the structure that they were given in; None if it has none.

    The public `inputs` is flat, and `input` of a Sequential is what another model calls it with.
    """
    structures = (getattr(model, name, None) for name in ("_inputs_struct", "_nested_inputs"))  # Keras 3, tf_keras
    return next((structure for structure in structures if structure is not None), None)


def inner_variables(variable: Any) -> list[Any]:
    """What a variable of Keras 3, or one of mixed precision of tf_keras, holds: a variable of TensorFlow, if any.

    The public `value` of Keras 3 casts under mixed precision; tf_keras has nothing public.
    """
    inner = (getattr(variable, name, None) for name in ("_value", "_variable"))
    return [holder for holder in inner if holder is not None]


def weights_store(package: str) -> Any:
    """The class through which a Keras (`keras` or `tf_keras`) writes the weights of a `.keras` file.

    Only whole files can be saved in public, and their names are wanted without their values.
    """
    return importlib.import_module(f"{package}.src.saving.saving_lib").H5IOStore


def save_weights(package: str, model: Any, store: Any) -> None:
    """Lets a Keras write the weights of a model into such a store."""
    importlib.import_module(f"{package}.src.saving.saving_lib")._save_state(model, store, None, "", set())


def model_of_keras_2(config: Any, safe_mode: bool) -> Any:
    """What Keras 3 makes of a configuration that Keras 2 wrote; in public it reads such from a file only."""
    options = importlib.import_module("keras.src.legacy.saving.saving_options")
    utilities = importlib.import_module("keras.src.legacy.saving.saving_utils")
    library = importlib.import_module("keras.src.saving.serialization_lib")
    with options.keras_option_scope(use_legacy_config=True), library.SafeModeScope(safe_mode):
        return utilities.model_from_config(config)


def autograph(enabled: bool) -> AbstractContextManager[Any]:
    """Whether what is called translates Python's control flow on tensors into operations.

    `tf.autograph.experimental.do_not_convert` is for one function; this also holds for all that it calls.
    """
    import tensorflow as tf
    from tensorflow.python.autograph.core import ag_ctx

    status = ag_ctx.Status.ENABLED if enabled else ag_ctx.Status.DISABLED
    context: AbstractContextManager[Any] = ag_ctx.ControlStatusCtx(status, tf.autograph.experimental.Feature.ALL)
    return context


def library_function(graph: Any, name: str) -> Any:
    """A function that operations of a graph call by its name; None if the graph has none of that name."""
    return graph._get_function(name)


def function_body(function: Any, shapes: Sequence[Any] = ()) -> Any:
    """The graph that such a function runs, for inputs of certain shapes, if any are given.

    The public `import_graph_def` does not say what the inputs and outputs are.

    Args:
        function: what `library_function` gave.
        shapes: of all inputs, None for a variable; otherwise those that the function was traced with.
    """
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

    definition = deepcopy(function.cached_definition)
    for index in range(len(shapes)):  # shapes that are written down there come before those that are given
        definition.arg_attr[index].attr.pop("_output_shapes", None)
    return function_def_to_graph(definition, input_shapes=shapes or None)


def inlined(function: Any) -> Any:
    """A concrete function as a `GraphDef`, with all that it calls in place.

    Nothing public puts the operations of a function where it is called.
    """
    from tensorflow.python.framework.convert_to_constants import _run_inline_graph_optimization

    return _run_inline_graph_optimization(function, lower_control_flow=False, aggressive_inlining=True)


def execute(kind: str, outputs: int, tensors: Sequence[Any], attributes: Mapping[str, Any]) -> list[Any]:
    """Runs one operation by its name; `tf.raw_ops` has other names for attributes, and lacks some operations.

    Args:
        kind: of the operation.
        outputs: how many it has.
        tensors: its inputs.
        attributes: by name, as the eager runtime takes them.
    """
    from tensorflow.python.eager.context import context
    from tensorflow.python.eager.execute import quick_execute

    flat = tuple(item for pair in attributes.items() for item in pair)
    made: list[Any] | None = quick_execute(kind, outputs, list(tensors), flat, context())
    return made or []


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
    """The class of variables that graphs can read and that have no values; `tf.Variable` has to be given some."""
    from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

    return UninitializedVariable


def rename_handle(variable: Any, name: str) -> Any:
    """Puts a handle of a name of its own behind a variable, and returns it.

    Nothing public makes a variable from a handle.
    """
    import tensorflow as tf

    handle = tf.raw_ops.VarHandleOp(dtype=variable.dtype, shape=variable.shape, shared_name=name)
    for attribute in ("_handle_data", "_name", "_unique_id", "_parent_trackable"):
        setattr(handle, attribute, getattr(variable.handle, attribute))
    variable._handle = handle
    return handle


def saved_model_document(data: bytes) -> Any:
    """The content of `saved_model.pb`, without loading what is in it, which is all that is public."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString(data)


def argument_name(placeholder: Any) -> str:
    """The argument of a function that a placeholder in its graph stands for; placeholders have other names."""
    try:
        return str(placeholder.op.get_attr("_user_specified_name").decode())
    except ValueError:
        return str(placeholder.op.name)


def forget_shapes(node: Any) -> None:
    """Drops the shapes and places that a node of a `GraphDef` was written down with, which hold for it no more."""
    for name in ("_output_shapes", "_class"):
        node.attr.pop(name, None)


def objects_of_checkpoint(data: bytes) -> Any:
    """The objects that a checkpoint of TensorFlow was made of, with the names of their variables.

    `tf.train.load_checkpoint` gives them as bytes, and `tf.train.list_variables` other names.
    """
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    return TrackableObjectGraph.FromString(data).nodes
