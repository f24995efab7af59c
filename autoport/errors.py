"""Every error a user can meet. All derive from `AutoportError`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoport.facts.reasons import Reason


class AutoportError(Exception):
    """Base class: catching it catches everything autoport raises on purpose."""


class ModelError(AutoportError):
    """What was handed over is not a model of the framework that the argument stands for."""


class UnbuiltModelError(ModelError):
    """A Keras model has no weights yet because it never saw an input."""


class InputError(AutoportError):
    """Example inputs do not fit a model, or none could be derived."""


class TraceError(AutoportError):
    """A model failed while its forward pass was being recorded."""


class NothingInCommonError(AutoportError):
    """Two models share not a single operation with weights."""


class HintError(AutoportError):
    """A hint names nothing, or contradicts what the graphs say."""


class LoadError(AutoportError):
    """A model named on the command line could not be loaded."""


class SaveError(AutoportError):
    """Ported weights could not be written to a file; an old file is as it was."""


class IncompleteMatchError(AutoportError):
    """Some tensors have no partner, so a strict transfer would leave them as they are.

    Attributes:
        missing: paths of the target's tensors that would not be written, with reasons.
        unexpected: paths of the source's tensors that would not be used, with reasons.
    """

    def __init__(self, missing: Iterable[tuple[str, Reason]], unexpected: Iterable[tuple[str, Reason]]) -> None:
        self.missing = list(missing)
        self.unexpected = list(unexpected)
        lines = [
            "the match is incomplete, nothing was assigned (match.settle() proves what is in doubt by running both "
            "models, strict=False assigns what is matched)"
        ]
        for title, rows in (("missing", self.missing), ("unexpected", self.unexpected)):
            lines += [f"  {title}: {path}: {reason}" for path, reason in rows]
        super().__init__("\n".join(lines))


class TransferError(AutoportError):
    """A weight cannot be carried over as it is; nothing was assigned."""


class VerificationError(AutoportError):
    """The two models could not be run side by side."""


class PlanError(AutoportError):
    """A file holds no plan, or one that contradicts itself or is incomplete."""


class FileError(AutoportError):
    """A file of weights cannot be read: damaged, of another format, or refused because reading it would run code."""


class UntrustedError(FileError):
    """Reading a file would build or run what is not known to compute only; nothing of it was.

    Attributes:
        on_command_line: the text for who called the command line; `str` gives the one for who called a function.
    """

    def __init__(self, problem: str, consequence: str) -> None:
        self.on_command_line = f"{problem}; --trust-code {consequence}"
        super().__init__(f"{problem}; trust_code=True or, on the command line, --trust-code {consequence}")


class MismatchError(AutoportError):
    """A file holds other tensors than the plan was made for; nothing was written."""
