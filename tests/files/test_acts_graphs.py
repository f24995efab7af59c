"""SavedModels and exported programs from strangers: what they would run, open or load is known, or asked for."""

from __future__ import annotations

import inspect
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import torch
from tensorflow.python.framework.op_def_registry import get as tf_operation
from tf_keras.src.layers.core.tf_op_layer import get_symbol_from_name as get_symbol
from torch import nn

import autoport
from autoport.errors import UntrustedError
from autoport.files.read import open_weights
from autoport.internals.keras import saved_model_document
from autoport.loading.by_name import load_keras, load_torch
from autoport.loading.known.operations import unknown_operations
from autoport.loading.known.tensorflow_names import FUNCTIONS, OPERATIONS
from tests.files.watch import watched

Act = Callable[[Any, Path], Any]


@pytest.fixture
def baits(tmp_path: Path) -> Path:
    folder = tmp_path / "baits"
    folder.mkdir()
    (folder / "secret").write_bytes(np.ones(4, np.float32).tobytes())
    return folder


def saved(folder: Path, act: Callable[[Any], Any]) -> Path:
    """A SavedModel that does something with its input before it multiplies it."""

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(tf.ones((4, 3)))

        @tf.function(autograph=False)
        def run(self, x: Any) -> Any:
            return {"y": act(x) @ self.w}

    module = Module()
    signature = module.run.get_concrete_function(tf.TensorSpec((None, 4), tf.float32, name="x"))
    tf.saved_model.save(module, str(folder / "saved"), signatures={"serving_default": signature})
    return folder / "saved"


def refused(load: Callable[[str], Any], path: Path, baits: Path, thing: str) -> None:
    with watched(baits) as seen, pytest.raises(UntrustedError) as caught:
        load(str(path))
    assert seen == []
    text = str(caught.value)
    for part in (str(path), thing, "trust_code=True", "--trust-code"):
        assert part in text


def debug(x: Any, baits: Path) -> Any:
    urls = [(baits / "dump").as_uri()]
    return tf.raw_ops.DebugIdentityV2(
        input=x, tfdbg_context_id="a", op_name="b", output_slot=0, tensor_debug_mode=8, debug_urls=urls
    )


def mapped(x: Any, baits: Path) -> Any:
    return x + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[4], memory_region_name=str(baits / "secret"))


def printed(x: Any, baits: Path) -> Any:
    with tf.control_dependencies([tf.print(x, output_stream=(baits / "printed").as_uri())]):
        return tf.identity(x)


def written(x: Any, baits: Path) -> Any:
    with tf.control_dependencies([tf.io.write_file(str(baits / "written"), "hello")]):
        return tf.identity(x)


def stored(x: Any, baits: Path) -> Any:
    save = tf.raw_ops.SaveV2(prefix=str(baits / "stored"), tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    with tf.control_dependencies([save]):
        return tf.identity(x)


def restored(x: Any, baits: Path) -> Any:
    values = tf.raw_ops.RestoreV2(
        prefix=str(baits / "other"), tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )
    return x + values[0]


def in_a_branch(x: Any, baits: Path) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: mapped(x, baits), lambda: x)


def in_a_loop(x: Any, baits: Path) -> Any:
    return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, written(y, baits)), (0, x))[1]


def in_python(x: Any, baits: Path) -> Any:
    y = tf.py_function(lambda value: value, [x], tf.float32)
    return tf.ensure_shape(y, (None, 4))


def in_a_table(x: Any, baits: Path) -> Any:
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    file = str(baits / "secret")
    filled = tf.raw_ops.InitializeTableFromTextFileV2(table_handle=table, filename=file, key_index=-2, value_index=-1)
    with tf.control_dependencies([filled]):
        return tf.identity(x)


GRAPHS: dict[str, tuple[Act, str]] = {
    "debugs": (debug, "DebugIdentityV2 (node '"),
    "maps a file": (mapped, "ImmutableConst"),
    "prints to a file": (printed, "PrintV2"),
    "writes": (written, "WriteFile"),
    "saves": (stored, "SaveV2"),
    "restores": (restored, "RestoreV2"),
    "in a branch": (in_a_branch, "ImmutableConst"),
    "in a loop": (in_a_loop, "WriteFile"),
    "in Python": (in_python, "EagerPyFunc"),
    "in a table": (in_a_table, "InitializeTableFromTextFileV2"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_saved_model_runs_known_operations_only(tmp_path: Path, baits: Path, name: str) -> None:
    act, kind = GRAPHS[name]
    path = saved(tmp_path, lambda x: act(x, baits))
    for stray in baits.iterdir():  # tracing may have left some
        stray.unlink() if stray.name != "secret" else None
    refused(load_keras, path, baits, kind)


def recurrent(library: Any) -> Any:
    layers = library.layers
    stack = [layers.Embedding(9, 4, mask_zero=True), layers.Bidirectional(layers.LSTM(3, return_sequences=True))]
    model = library.Sequential([library.Input((7,), dtype="int32"), *stack, layers.GRU(2)])
    model.compile("adam", "mse")
    if library is tf_keras:  # which saves how it was called
        model.fit(np.ones((2, 7)), np.ones((2, 2)), verbose=0)
    return model


def pictures(library: Any) -> Any:
    layers = library.layers
    stack = [layers.Rescaling(1 / 255), layers.Resizing(12, 12), layers.RandomRotation(0.1), layers.RandomFlip()]
    stack += [layers.Conv2DTranspose(2, 3), layers.UpSampling2D(interpolation="bilinear"), layers.GroupNormalization(2)]
    return library.Sequential([library.Input((16, 16, 3)), *stack])


@pytest.mark.parametrize("build", [recurrent, pictures])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_what_keras_saves_is_known(tmp_path: Path, library: Any, build: Any) -> None:
    model = build(library)
    save = model.save if library is tf_keras else lambda path: model.export(path, verbose=False)
    save(str(tmp_path / "saved"))
    assert unknown_operations(saved_model_document((tmp_path / "saved" / "saved_model.pb").read_bytes())) == {}


def test_a_function_that_nothing_calls_is_looked_at(tmp_path: Path, baits: Path) -> None:
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)], autograph=False)
        def aside(self, x: Any) -> Any:
            return mapped(x, baits)

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)], autograph=False)
        def __call__(self, x: Any) -> Any:
            return x * 2

    tf.saved_model.save(Module(), str(tmp_path / "saved"))
    refused(load_keras, tmp_path / "saved", baits, "ImmutableConst")


def test_a_function_that_the_file_lacks_is_not_looked_for(tmp_path: Path, baits: Path) -> None:
    path = saved(tmp_path, lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x))
    document = saved_model_document((path / "saved_model.pb").read_bytes())
    for function in document.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if "then_branch" in node.attr:
                node.attr["then_branch"].func.name = "WriteFile"
    (path / "saved_model.pb").write_bytes(document.SerializeToString())
    refused(load_keras, path, baits, "WriteFile")


def session(folder: Path, act: Callable[[Any], Any], init: Callable[[], Any] | None = None) -> Path:
    """A SavedModel of TensorFlow 1."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session() as run:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")
        w = tf.compat.v1.get_variable("w", (4, 3), use_resource=True)
        y = tf.matmul(act(x), w)
        run.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(
            run, str(folder / "session"), {"x": x}, {"y": y}, legacy_init_op=init() if init else None
        )
    return folder / "session"


def test_a_saved_model_of_tensorflow_1_is_read(tmp_path: Path) -> None:
    match = autoport.match(
        load_keras(str(session(tmp_path, tf.nn.relu))), nn.Sequential(nn.ReLU(), nn.Linear(4, 3, False))
    )
    assert match.complete, str(match)
    match.assign()
    assert match.verify().ok


@pytest.mark.parametrize("name", ["writes", "saves", "restores", "maps a file"])
def test_a_session_runs_known_operations_only(tmp_path: Path, baits: Path, name: str) -> None:
    act, kind = GRAPHS[name]
    refused(load_keras, session(tmp_path, lambda x: act(x, baits)), baits, kind)


def test_a_session_starts_with_known_operations_only(tmp_path: Path, baits: Path) -> None:
    path = session(tmp_path, tf.identity, lambda: tf.io.write_file(str(baits / "written"), "hello"))
    refused(load_keras, path, baits, "WriteFile")


@pytest.mark.parametrize("source", ["a constant", "a default"])
def test_a_session_restores_its_own_file_only(tmp_path: Path, baits: Path, source: str) -> None:
    path = session(tmp_path, tf.identity)
    document = saved_model_document((path / "saved_model.pb").read_bytes())
    meta = document.meta_graphs[0]
    restores = [node for node in meta.graph_def.node if node.op == "RestoreV2"]
    assert restores
    if source == "a constant":
        for node in meta.graph_def.node:
            if node.name == meta.saver_def.filename_tensor_name.split(":")[0]:
                node.op = "Const"
    else:
        meta.saver_def.filename_tensor_name = "x:0"
    (path / "saved_model.pb").write_bytes(document.SerializeToString())
    refused(load_keras, path, baits, "RestoreV2")


class Net(nn.Module):
    """Something with a size that is open, and a dictionary for input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("scale", torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.gelu(self.linear(x), approximate="tanh") * self.scale * torch.tensor(2.0)
        return y[: x.shape[0] // 2]


def exported(path: Path) -> Path:
    program = torch.export.export(Net().eval(), (torch.zeros(8, 4),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(program, path)
    return path


class Payload:
    """What makes a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


Members = dict[str, bytes]


def edited(members: Members, ending: str, change: Callable[[Any], object]) -> None:
    name = next(name for name in members if name.endswith(ending))
    document = json.loads(members[name])
    change(document)
    members[name] = json.dumps(document).encode()


def nodes(document: Any) -> list[Any]:
    return document["graph_module"]["graph"]["nodes"]  # type: ignore[no-any-return]


def a_library(members: Members, baits: Path) -> None:
    folder = next(iter(members)).split("/")[0]
    members[f"{folder}/data/aotinductor/model/model.so"] = b"\x7fELF"


def an_object(members: Members, baits: Path) -> None:
    folder = next(iter(members)).split("/")[0]
    members[f"{folder}/data/constants/opaque_obj_0"] = pickle.dumps(Payload(baits / "ran"))
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edited(members, "_constants_config.json", lambda document: document["config"].update(evil=payload))


def a_size(members: Members, baits: Path) -> None:
    text = f"__import__('pathlib').Path('{baits}/ran').touch()"

    def change(value: Any) -> None:
        if isinstance(value, dict):
            if "expr_str" in value:
                value["expr_str"] = text
            for inner in value.values():
                change(inner)
        elif isinstance(value, list):
            for inner in value:
                change(inner)

    edited(members, "models/model.json", change)


def a_condition(members: Members, baits: Path) -> None:
    text = f"__import__('pathlib').Path('{baits}/ran').touch() or True"
    edited(members, "models/model.json", lambda document: document.update(guards_code=[text]))


def a_structure(members: Members, baits: Path) -> None:
    context = {"default_factory_module": "antigravity", "default_factory_name": "x", "dict_context": []}
    spec = {"type": "collections.defaultdict", "context": json.dumps(context), "children_spec": []}

    def change(document: Any) -> None:
        for entry in document["graph_module"]["module_call_graph"]:
            if entry["signature"]:
                entry["signature"]["in_spec"] = json.dumps([1, spec])

    edited(members, "models/model.json", change)


def calls(target: str) -> Callable[[Members, Path], None]:
    return lambda members, baits: edited(
        members, "models/model.json", lambda document: nodes(document)[0].update(target=target)
    )


def a_file(members: Members, baits: Path) -> None:
    def change(document: Any) -> None:
        node = nodes(document)[0]
        node["target"] = "torch.ops.aten.from_file.default"
        node["inputs"] = [{"name": "filename", "arg": {"as_string": "secret"}, "kind": 1}]

    edited(members, "models/model.json", change)


PROGRAMS: dict[str, tuple[Callable[[Members, Path], None], str]] = {
    "a compiled library": (a_library, "data/aotinductor/model/model.so"),
    "an object": (an_object, "opaque_obj_0"),
    "a size": (a_size, 'the size "__import__('),
    "a condition": (a_condition, 'the condition "__import__('),
    "a structure": (a_structure, "the structure collections.defaultdict"),
    "a function": (calls("torch.hub.load"), "the function torch.hub.load"),
    "a function of Python": (calls("_operator.call"), "the function _operator.call"),
    "a module of PyTorch's": (calls("torch.os.system"), "the function torch.os.system"),
    "another library's": (
        calls("torch.ops.torchvision.read_file.default"),
        "the function torch.ops.torchvision.read_file",
    ),
    "a file": (a_file, "the text 'secret' for torch.ops.aten.from_file.default"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_exported_program_does_nothing_but_compute(tmp_path: Path, baits: Path, name: str) -> None:
    change, thing = PROGRAMS[name]
    path = exported(tmp_path / "x.pt2")
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    change(members, baits)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    refused(load_torch, path, baits, thing)
    refused(lambda text: open_weights(Path(text)), path, baits, thing)


def test_an_exported_program_with_open_sizes_is_read(tmp_path: Path) -> None:
    found = load_torch(str(exported(tmp_path / "x.pt2")))
    assert found(torch.zeros(6, 4)).shape == (3, 3)


# Texts that known operations hold: methods, formats, equations, and what messages and their own things are called.
TEXT_NAMES = """
    bad_indices_policy config config_proto container data_format debug_name direction dst_format equation executor_type
    fill_mode frame_name input_mode interpolation kernel_type message mode padding rnn_mode round_mode shared_name
    source src_format tensor_array_name
"""
TEXTS = set(TEXT_NAMES.split())


def test_known_operations_hold_no_name_of_a_file() -> None:
    documents = {kind: document for kind in OPERATIONS if (document := tf_operation(kind)) is not None}
    assert len(documents) > 400
    for kind, document in documents.items():
        chosen = {attr.name for attr in document.attr if attr.type == "string" and not attr.HasField("allowed_values")}
        assert chosen <= TEXTS, kind
        assert all(argument.type != tf.string.as_datatype_enum for argument in document.input_arg), kind


def test_known_functions_have_no_argument_for_a_file_or_a_stream() -> None:
    for name in FUNCTIONS:
        function = get_symbol(name)
        parameters = inspect.signature(function).parameters if function is not None else ()
        assert not [each for each in parameters if re.search("file|path|url|stream", each)], name
