"""The backend that Keras runs on; loads no framework."""

from __future__ import annotations

from types import ModuleType

from autoport.errors import LoadError


def require_tensorflow_backend(keras: ModuleType) -> None:
    """Raises `LoadError` if Keras runs on another backend, which has no TensorFlow graph to read."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise LoadError(f"Keras runs on {backend}, but autoport reads TensorFlow graphs: set KERAS_BACKEND=tensorflow")
