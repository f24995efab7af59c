"""The answer as data: a transfer, with both models as files know them, so that it needs neither model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoport.files.stored_model import StoredModel
from autoport.plan.document import load_document, save_document
from autoport.plan.draft import Transfer


@dataclass(frozen=True, kw_only=True)
class Plan(Transfer):
    """A transfer in one direction, as data. Reading it and carrying it out needs neither model.

    Attributes:
        source: the model that is read.
        target: the model that is written.
    """

    source: StoredModel
    target: StoredModel

    @staticmethod
    def of(source: StoredModel, target: StoredModel, transfer: Transfer) -> Plan:
        """The plan of a transfer between two models."""
        return Plan(source=source, target=target, **vars(transfer))

    def save(self, path: str | Path) -> None:
        """Writes the plan as JSON, as `docs/plan-format.md` says.

        Args:
            path: of the file; by convention it ends in `.plan.json`.

        Raises:
            AutoportError: the file cannot be written; an old one is as it was.

        Example:
            >>> match.plan().save("resnet50.plan.json")  # doctest: +SKIP
        """
        save_document(self.source, self.target, self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Plan:
        """Reads a plan that `save` wrote.

        Args:
            path: of the file.

        Raises:
            PlanError: it is not a plan, or of another version.

        Example:
            >>> autoport.Plan.load("resnet50.plan.json").entries["fc.weight"].expression  # doctest: +SKIP
            'i o -> o i'
        """
        return Plan.of(*load_document(Path(path)))
