"""Changes to a PyTorch model, each of which can be taken back, and what became of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from torch import nn

from autoport.comparison.differences import Difference
from autoport.verify.running.patches import PatchedCall, Source


@dataclass(eq=False)
class Change(ABC):
    """One change to a model.

    Attributes:
        model: the whole model.
        path: of the module that is changed.
        differences: the differences that it removes.
        new: what is there then: a value, or how a call is computed.
    """

    model: nn.Module
    path: str
    differences: list[Difference]
    new: Any

    @property
    def module(self) -> nn.Module:
        """The module that is changed."""
        return self.model.get_submodule(self.path)

    @property
    def names(self) -> set[str]:
        """Names of the differences that it removes."""
        return {difference.name for difference in self.differences}

    @property
    @abstractmethod
    def place(self) -> tuple[Any, ...]:
        """What it changes: the module or another object first."""

    @property
    def guessed(self) -> bool:
        """Whether it may turn out to change something else."""
        return False

    @property
    def idle(self) -> bool:
        """Whether it changes nothing."""
        return False

    @property
    @abstractmethod
    def text(self) -> str:
        """The change in words."""

    @property
    @abstractmethod
    def code(self) -> str:
        """The same in Python, for a model called `model`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of `autoport.verify.running.patches` in the code."""
        return ()

    @abstractmethod
    def apply(self) -> None:
        """Makes the change."""

    @abstractmethod
    def undo(self) -> None:
        """Takes it back; of several at one module the last one first."""


@dataclass(eq=False)
class Setting(Change):
    """An attribute that is set.

    Attributes:
        attribute: its name.
        holder: the object of the module that has it, if not the module itself: `config`.
        by_value: whether only its value tells that the model uses it.
        before: its value before.
    """

    attribute: str
    holder: str = ""
    by_value: bool = False
    before: Any = None

    @property
    def _owner(self) -> Any:
        return attrgetter(self.holder)(self.module) if self.holder else self.module

    @property
    def place(self) -> tuple[Any, ...]:
        """The object and the attribute: equal for two modules that hold one config."""
        return id(self._owner), self.attribute

    @property
    def guessed(self) -> bool:
        """Whether it may turn out to change something else."""
        return self.by_value

    @property
    def text(self) -> str:
        """The change in words."""
        name = ".".join(filter(None, (self.path, self.holder, self.attribute)))
        return f"{name} = {self.new!r} (was {self.before!r})"

    @property
    def code(self) -> str:
        """The same in Python."""
        module = f"model.get_submodule({self.path!r})" if self.path else "model"
        return f"{'.'.join(filter(None, (module, self.holder, self.attribute)))} = {self.new!r}"

    def apply(self) -> None:
        """Makes the change."""
        self.before = getattr(self._owner, self.attribute)
        setattr(self._owner, self.attribute, self.new)

    def undo(self) -> None:
        """Takes it back."""
        setattr(self._owner, self.attribute, self.before)


@dataclass(eq=False)
class Patching(Change):
    """One call that is computed in another way.

    Attributes:
        function: what is called.
        number: which of its calls.
        where: file and line of the call.
        source: the call whose argument it is computed from, if not its own.
        call: the wrapped `forward`, while the change is made.
    """

    function: str
    number: int
    where: str
    source: Source | None = None
    call: PatchedCall | None = None

    @property
    def place(self) -> tuple[Any, ...]:
        """The module, the function and the number of its call."""
        return id(self.module), self.function, self.number

    @property
    def text(self) -> str:
        """The change in words."""
        return f"{self.path or 'the model'}: {self.function} in {self.where} is computed {_how(self.new)}"

    @property
    def code(self) -> str:
        """The same in Python."""
        source = f", {self.source}" if self.source else ""
        module = f"model.get_submodule({self.path!r})"
        return f"PatchedCall({module}, {self.function!r}, {self.number}, {self.new}{source})  # {self.where}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the code."""
        return "PatchedCall", type(self.new).__name__

    @property
    def idle(self) -> bool:
        """Whether the call never came: a module that runs several times makes the same calls each time."""
        return self.call is not None and not self.call.used

    def apply(self) -> None:
        """Makes the change."""
        self.call = PatchedCall(self.module, self.function, self.number, self.new, self.source)

    def undo(self) -> None:
        """Takes it back."""
        if self.call is not None:
            self.call.remove(self.module)


@dataclass
class Reconciliation:
    """What was set, and how to take it back.

    Attributes:
        changes: what was set.
        left: differences that remain, each with the reason.
    """

    changes: list[Change] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[str]:
        """What was set, one line each."""
        return [change.text for change in self.changes]

    @property
    def patch(self) -> str:
        """Python that does the same to another instance, called `model`."""
        used = sorted({name for change in self.changes for name in change.classes})
        lines = ["from math import inf"] if self.changes else []
        lines += [f"from autoport.verify.running.patches import {', '.join(used)}"] if used else []
        return "".join(f"{line}\n" for line in [*lines, *(change.code for change in self.changes)])

    def undo(self) -> None:
        """Takes everything back."""
        self.keep([])

    def keep(self, changes: Sequence[Change]) -> None:
        """Takes all changes back but for these, which may have been taken back before."""
        if changes == self.changes:
            return
        for change in reversed(self.changes):
            change.undo()
        self.changes = list(changes)
        for change in changes:
            change.apply()

    def leave(self, differences: Collection[Difference], reason: str) -> None:
        """Notes differences that remain."""
        self.left += [f"{difference} ({reason})" for difference in differences]

    def __str__(self) -> str:
        return "\n".join([*(f"set: {text}" for text in self.done), *(f"left: {text}" for text in self.left)])


def _how(patch: Any) -> str:
    """A patch in words: its own, or the values that it computes with."""
    how = getattr(patch, "how", None)
    if how is not None:
        return str(how)
    values = vars(patch).get("values", vars(patch))
    return "with " + ", ".join(f"{_argument(name)} = {value!r}" for name, value in values.items())


def _argument(name: str | int) -> str:
    return name if isinstance(name, str) else f"argument {name}"
