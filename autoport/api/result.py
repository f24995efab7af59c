"""The `Match`: what two models have in common, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoport.analysis import Analysis, Hints, analyse
from autoport.comparison.differences import Difference
from autoport.comparison.pairs import Pair, Unmatched
from autoport.facts.framework import Both, Framework, direction
from autoport.facts.reasons import Reason
from autoport.files.stored_model import StoredModel, read_unwritten, select_small
from autoport.graph import Graph
from autoport.graph.store import Store
from autoport.plan.draft import Transfer
from autoport.plan.plan import Plan
from autoport.transfer.into_model import carry_out, check, produce, require_complete

if TYPE_CHECKING:
    import torch

    from autoport.verify.reconciling.changes import Reconciliation
    from autoport.verify.running.readings import Readings
    from autoport.verify.verification import Verification


class Match:
    """What two models have in common, tensor by tensor.

    Made by `autoport.match`. Nothing of either model changes before `assign` is called.

    Attributes:
        analysis: the result, as data.
        readings: both models as they were read.
        reconciled: results of `reconcile`, in order.
    """

    def __init__(self, readings: Readings, hints: Hints = ()) -> None:
        self.readings, self._hints = readings, hints
        self.reconciled: list[Reconciliation] = []
        self._latest: Match | None = None
        self._settled = False
        self.analysis: Analysis = analyse(
            Both(readings.tf.graph, readings.torch.graph),
            hints,
            names=Both(readings.tf.name, readings.torch.name),
            open_store=self._open,
            record=lambda: Both(readings.tf.in_training(), readings.torch.in_training()),
        )

    def _open(self, side: Framework) -> Store:
        return self.readings.tf.store() if side is Framework.TF else self.readings.torch.store()

    @property
    def graph_tf(self) -> Graph:
        """The Keras model as a `networkx.DiGraph`."""
        return self.analysis.graphs.tf

    @property
    def graph_torch(self) -> Graph:
        """The PyTorch model as a `networkx.DiGraph`."""
        return self.analysis.graphs.torch

    @property
    def pairs(self) -> list[Pair]:
        """Matched operations with weights, in the order of the Keras model."""
        return self.analysis.pairs

    @property
    def unmatched_tf(self) -> list[Unmatched]:
        """What only the Keras model has."""
        return self.analysis.unmatched.tf

    @property
    def unmatched_torch(self) -> list[Unmatched]:
        """What only the PyTorch model has."""
        return self.analysis.unmatched.torch

    @property
    def differences(self) -> list[Difference]:
        """Hyper-parameters of matched operations that disagree."""
        return self.analysis.differences

    @property
    def complete(self) -> bool:
        """Whether every tensor that either forward pass reads has its partner."""
        return self.analysis.complete

    def missing(self, to: str = "torch") -> Mapping[str, Reason]:
        """Tensors of the target that its forward pass reads and the plan does not write, with reasons."""
        return self._transfer(to).missing

    def unexpected(self, to: str = "torch") -> Mapping[str, Reason]:
        """Tensors of the source that its forward pass reads and the plan does not use as a whole, with reasons."""
        return self._transfer(to).unexpected

    def _transfer(self, to: str) -> Transfer:
        return self.analysis.transfer(direction(to))

    def plan(self, to: str = "torch") -> Plan:
        """What goes where, as data: for each target tensor its sources and expressions.

        Where the target has one tensor and the source has two, they must hold the same values.

        Args:
            to: whose tensors are written: `torch` or `tf`.

        Example:
            >>> match.plan().save("resnet50.plan.json")  # doctest: +SKIP
        """
        transfer = self._transfer(to)
        source, target = self._stored_models.toward(direction(to))
        kept = select_small(read_unwritten(target, transfer.entries, self._open(direction(to))))
        return Plan.of(source, replace(target, kept=kept), transfer)

    @cached_property
    def _stored_models(self) -> Both[StoredModel]:
        return Both(self.readings.tf.stored_model(), self.readings.torch.stored_model())

    def state_dict(self, *, strict: bool = True) -> dict[str, torch.Tensor]:
        """The PyTorch model's state dict with the Keras weights; the model stays as it is.

        Args:
            strict: raise if a tensor has no partner; otherwise it keeps the model's value.

        Raises:
            IncompleteMatchError: `strict`, and the match is not complete.
            TransferError: a weight cannot be carried over.
        """
        import torch

        transfer, read = self._transfer("torch"), self._open(Framework.TF).read
        if strict:
            require_complete(transfer, read)
        check(transfer, read)
        values = {path: torch.from_numpy(produce(transfer, path, read)) for path in transfer.entries}
        result = {}
        for path, tensor in self.readings.torch.model.state_dict().items():
            value = values.get(self.graph_torch.aliases.get(path, path))
            result[path] = tensor.detach().clone() if value is None else value.to(tensor.dtype)
        return result

    def assign(self, to: str = "torch", *, strict: bool = True) -> None:
        """Carries the weights over, in place: every tensor, or none.

        Args:
            to: `torch` writes the Keras weights into the PyTorch model, `tf` the other way.
            strict: as in `load_state_dict`: raise if a tensor has no partner.

        Raises:
            IncompleteMatchError: `strict`, and the match is not complete.
            TransferError: a weight cannot be carried over.

        Example:
            >>> autoport.match(keras_model, module).assign()  # doctest: +SKIP
        """
        transfer = self._transfer(to)
        source, target = Both.of(self._open).toward(direction(to))
        if strict:
            require_complete(transfer, source.read)
        carry_out(transfer, source, target)

    def save_weights(self, path: str | os.PathLike[str], to: str = "torch", *, shard_size: int | None = None) -> None:
        """Writes the ported weights to a file; neither model is changed, but for `.keras`.

        Args:
            path: a `.safetensors`, `.pt` or `.pth` file for `torch`, `.weights.h5` or `.keras` for `tf`. A `.keras`
                file is written by the model's own `save`, after `assign`.
            to: whose weights are written: `torch` or `tf`.
            shard_size: most bytes in one file, for `.safetensors`.

        Raises:
            IncompleteMatchError: a tensor has no partner; no file is written.
            TransferError: a weight cannot be carried over; no file is written.
            SaveError: the file cannot be written; an old one is as it was.

        Example:
            >>> match.save_weights("model.safetensors")  # doctest: +SKIP
        """
        from autoport.files.write import check_destination, is_saved_by_model
        from autoport.keras.unfilled import save_model
        from autoport.transfer.into_file import write_transfer

        place, side = Path(path), direction(to)
        check_destination(place, side, shard_size=shard_size)
        if is_saved_by_model(place, side):
            self.assign(to)
            save_model(self.readings.tf.model, place)
            return
        plan, source, target = self.plan(to), self._open(side.other), self._open(side)
        write_transfer(
            plan, source.read, read_unwritten(plan.target, plan.entries, target), place, shard_size=shard_size
        )

    def verify(
        self, inputs: Any = None, to: str = "torch", *, dtype: str = "float64", rtol: float = 1e-9, seed: int = 0
    ) -> Verification:
        """Runs both models side by side and says whether, where and why they differ.

        Every matched operation of the PyTorch model is fed what its Keras twin was really fed, so
        that one run finds every place at which they differ; then both are run end to end. Neither
        model is changed or called: what runs, in float64, are the recorded graphs on copies of the
        tensors. The PyTorch model is taken as it is now, the Keras model as it was matched, with the
        weights that it has now.

        Args:
            inputs: what the Keras model takes, in any form that `match` takes and of the shapes it was matched on;
                random when left out.
            to: which model was ported to, `torch` or `tf`: it may return more than the other, not less.
            dtype: what to compute in. In `float32` every place is held to what rounding does to the
                Keras value there, so that small differences, of an epsilon for example, do not show.
            rtol: the largest difference, in standard deviations, that counts as rounding; where the
                Keras model can only be run in float32, what rounding does to it there counts, too.
            seed: of the random inputs.

        Raises:
            InputError: `inputs` are not what the Keras model was matched on, or PyTorch's cannot be derived from them.
            VerificationError: the models could not be run side by side.
            ValueError: there is no such dtype.

        Example:
            >>> print(match.verify())  # doctest: +SKIP
            verified: relative error 2.6e-15 end to end in float64, 138 places compared
        """
        from autoport.verify.verify import verify

        if dtype not in ("float64", "float32"):
            raise ValueError(f"dtype must be 'float64' or 'float32', not {dtype!r}")
        current = self.current()
        return verify(current.analysis, current.readings, inputs, direction(to), dtype, rtol, seed)

    def certificate(self, verification: Verification | None = None) -> dict[str, Any]:
        """What was verified, on what, with what result, as JSON takes it.

        Args:
            verification: what `verify` returned; it is run when left out.

        Returns:
            Versions of all packages, sha256 of the tensors that either forward pass reads, what was
            reconciled, and everything that was measured.

        Example:
            >>> json.dump(match.certificate(), file)  # doctest: +SKIP
        """
        from autoport.verify.certificate import certificate

        done = [text for reconciliation in self.reconciled for text in reconciliation.done]
        return certificate(self.analysis, done, self.verify() if verification is None else verification)

    def settle(self, inputs: Any = None, *, rtol: float = 1e-9, seed: int = 0) -> list[str]:
        """Runs both models to break ties, and to prove weights that structure left in doubt.

        Of operations that fit equally well those are paired with which both models compute the
        same. What proves right belongs to the match from then on; nothing else changes.

        Args:
            inputs: what the Keras model takes, in any form that `match` takes and of the shapes it was matched on;
                random when left out.
            rtol: the largest difference, in standard deviations, that counts as rounding.
            seed: of the random inputs.

        Returns:
            Paths of the PyTorch tensors that were proved.

        Raises:
            VerificationError: the models could not be run side by side.

        Example:
            >>> match.settle()  # doctest: +SKIP
            ['layernorm.weight', 'layernorm.bias']
        """
        from autoport.verify.settle import settle

        before = self._transfer("torch").entries.keys()
        self.analysis = settle(self.analysis, self.readings, inputs, rtol, seed)
        self._settled = True
        return [path for path in self._transfer("torch").entries if path not in before]

    def reconcile(self, *, logits: bool = False) -> Reconciliation:
        """Changes the PyTorch model so that it computes what the Keras model computes, where that is possible.

        Attributes of modules are set; what none holds is done by computing one call otherwise. The keys of the state
        dict stay. Only what removes a difference and brings the models closer as a whole is kept.

        Args:
            logits: also where one model returns logits and the other one probabilities. The PyTorch model returns then
                what the Keras model returns: a softmax or a sigmoid at an output is added, or left out. Otherwise it
                is listed as left: which of the two is right is for whoever uses the model to say.

        Returns:
            What was set and what is left; `undo()` takes it back, `patch` is Python that does the same.

        Example:
            >>> print(match.reconcile())  # doctest: +SKIP
            set: bn1.eps = 0.001 (was 1e-05)
        """
        from autoport.verify.reconciling.measure import State
        from autoport.verify.reconciling.reconcile import reconcile

        current = self.current()

        def reread() -> State:
            latest = current.current()
            if latest is not current and self._settled:
                latest.settle()
            return State(latest.analysis, latest.readings)

        before = State(current.analysis, current.readings)
        result = reconcile(before, self.readings.torch.model, reread, logits=logits)
        self.reconciled.append(result)
        return result

    def current(self) -> Match:
        """This match, or a new one if the PyTorch model no longer computes what it did when it was read."""
        from autoport.keras.read import read
        from autoport.pytorch.read import reread
        from autoport.verify.running.readings import Readings

        for candidate in (self, self._latest or self):
            tf, before = candidate.readings
            torch = reread(before.model, before)
            if torch is before:
                return candidate
        self._latest = Match(Readings(read(tf.model, tf.inputs), torch), self._hints)
        return self._latest

    def report(
        self,
        format: str | None = None,
        *,
        verification: Verification | None = None,
        output: str | os.PathLike[str] | None = None,
    ) -> str | None:
        """Shows the match.

        Args:
            format: `table`, `markdown`, `json`, `html`, `graphml` or `dot` return that text; None prints the table.
            verification: what `verify` returned, so that the report shows errors and causes.
            output: a file to write instead; its suffix names the format, `.explorer` a folder for Model Explorer.

        Raises:
            ValueError: there is no such format.
            AutoportError: the file cannot be written.

        Example:
            >>> match.report(output="report.html", verification=match.verify())  # doctest: +SKIP
        """
        from autoport.report import build_report
        from autoport.report.formats import render, write
        from autoport.report.views.table import print_report

        result = build_report(self.analysis, verification)
        if output is not None:
            write(result, Path(output))
        elif format is None:
            print_report(result)
        else:
            return render(result, format)
        return None

    def __str__(self) -> str:
        return str(self.report("table"))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from autoport.report import build_report
        from autoport.report.html import render_notebook

        return render_notebook(build_report(self.analysis))

    def __repr__(self) -> str:
        state = "complete" if self.complete else "incomplete"
        return f"<Match {state}: {len(self.pairs)} pairs, {len(self.differences)} differences>"
