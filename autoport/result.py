"""The `Match`: what two models have in common, and what can be done with it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoport.canonical import canonicalize
from autoport.canonical.buffers import find_weights
from autoport.comparison.differences import Difference, find_differences
from autoport.comparison.doubts import Doubt, find_doubts
from autoport.comparison.pairs import find_unmatched, pair_tensors
from autoport.comparison.training import InTraining, match_in_training
from autoport.facts.reasons import Code, Reason
from autoport.files.side import Side
from autoport.graph import Graph, Value
from autoport.graph.store import Store
from autoport.keras.store import KerasStore
from autoport.matching import Matching, match_skeletons
from autoport.matching.skeleton import skeleton
from autoport.plan.build import plan_transfer
from autoport.plan.plan import Plan
from autoport.plan.sides import held, small, tf_side, torch_side
from autoport.pytorch.store import TorchStore
from autoport.transfer.into_model import carry_out, check, produce, require_complete
from autoport.weights.algebra import Array

if TYPE_CHECKING:
    import torch

    from autoport.keras.read import KerasReading
    from autoport.pytorch.read import TorchReading
    from autoport.verify.reconcile import Reconciliation
    from autoport.verify.verification import Verification

Hints = Sequence[tuple[str, str]]


class Match:
    """What two models have in common, tensor by tensor.

    Made by `autoport.match`. Nothing of either model changes before `assign` is called.

    Attributes:
        graph_tf: the Keras model as a `networkx.DiGraph`.
        graph_torch: the PyTorch model as a `networkx.DiGraph`.
        pairs: matched operations with weights, in the order of the Keras model.
        unmatched_tf: what only the Keras model has.
        unmatched_torch: what only the PyTorch model has.
        differences: hyper-parameters of matched operations that disagree.
        matching: the pairs of all nodes, also of those without weights.
        readings: both models as they were read.
        in_training: what only a forward pass in training mode reads.
        reconciled: what `reconcile` has done.
        shifted: by direction, values of the side that is written which lack an absorbed bias.
    """

    def __init__(self, tf: KerasReading, torch: TorchReading, torch_model: torch.nn.Module, hints: Hints = ()) -> None:
        find_weights(torch.graph, tf.graph)
        self.graph_tf: Graph = canonicalize(tf.graph)
        self.graph_torch: Graph = canonicalize(torch.graph)
        self.readings = tf, torch
        self._variables = tf.variables
        self._torch_model, self._hints = torch_model, hints
        self.reconciled: list[Reconciliation] = []
        self._latest: Match | None = None
        self.matching = match_skeletons(skeleton(self.graph_tf), skeleton(self.graph_torch), hints)
        self._plans: dict[str, Plan] = {}
        self.shifted: dict[str, set[Value]] = {}
        self.in_training = InTraining()
        doubts = find_doubts(self.matching)
        self._conclude(doubts)
        self.in_training = match_in_training(tf, torch, self._decided("torch"))
        if self.in_training.pairs:
            self._conclude(doubts)
        self.differences: list[Difference] = self._compare()

    def _conclude(self, doubts: Mapping[str, Doubt]) -> None:
        """Works out which tensors belong together, but for the weights of doubtful nodes."""
        pairs, refusals = pair_tensors(self.matching, doubts)
        self.pairs = [*pairs, *self.in_training.pairs]
        for to in ("torch", "tf"):
            self._plans[to], self.shifted[to] = plan_transfer(self.pairs, self._side(to), to)
        known = self.in_training.tensors
        self.unmatched_tf = find_unmatched(self.matching, 0, refusals[0], known)
        self.unmatched_torch = find_unmatched(self.matching, 1, refusals[1], known)

    def _compare(self) -> list[Difference]:
        return [*find_differences(self.matching), *self.in_training.differences]

    @property
    def complete(self) -> bool:
        """Whether every tensor that either forward pass reads has its partner."""
        return not self.missing("torch") and not self.unexpected("torch")

    def plan(self, to: str = "torch") -> Plan:
        """What goes where, as data: for each target tensor its sources and expressions.

        Where the target has one tensor and the source has two, they must hold the same values.

        Args:
            to: whose tensors are written: `torch` or `tf`.

        Example:
            >>> match.plan().save("resnet50.plan.json")  # doctest: +SKIP
        """
        plan, sides = self._accounted(to), self._sides
        source, target = (sides["tf"], sides["torch"]) if to == "torch" else (sides["torch"], sides["tf"])
        kept = small(held(target, plan.entries, self.store(to)))
        return replace(plan, source=source, target=replace(target, kept=kept))

    def _accounted(self, to: str) -> Plan:
        """A plan with what it leaves out."""
        return replace(self._decided(to), missing=self.missing(to), unexpected=self.unexpected(to))

    def _decided(self, to: str) -> Plan:
        return self._plans[_direction(to)].decided(self.store("tf" if to == "torch" else "torch").read)

    def kept(self, to: str = "torch") -> dict[str, Array]:
        """What files of one model hold and the plan does not write, as the model has it: counters, say."""
        return held(self._sides[_direction(to)], self._decided(to).entries, self.store(to))

    @cached_property
    def _sides(self) -> dict[str, Side]:
        tf = tf_side(self.graph_tf, self.readings[0].model, self._variables)
        return {"tf": tf, "torch": torch_side(self.graph_torch, self._torch_model)}

    def state_dict(self, *, strict: bool = True) -> dict[str, torch.Tensor]:
        """The PyTorch model's state dict with the Keras weights; the model stays as it is.

        Args:
            strict: raise if a tensor has no partner; otherwise it keeps the model's value.

        Raises:
            IncompleteMatchError: `strict`, and the match is not complete.
            TransferError: a weight cannot be carried over.
        """
        import torch

        plan, read = self._accounted("torch"), self.store("tf").read
        if strict:
            require_complete(plan, read)
        check(plan, read)
        made = {path: torch.from_numpy(produce(plan, path, read)) for path in plan.entries}
        result = {}
        for path, tensor in self._torch_model.state_dict().items():
            found = made.get(self.graph_torch.aliases.get(path, path))
            result[path] = tensor.detach().clone() if found is None else found.to(tensor.dtype)
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
        plan, source = self._accounted(to), self.store("tf" if to == "torch" else "torch")
        if strict:
            require_complete(plan, source.read)
        carry_out(plan, source, self.store(to))

    def verify(self, inputs: Any = None, *, dtype: str = "float64", rtol: float = 1e-9, seed: int = 0) -> Verification:
        """Runs both models side by side and says whether, where and why they differ.

        Every matched operation of the PyTorch model is fed what its Keras twin was really fed, so
        that one run finds every place at which they differ; then both are run end to end. Neither
        model is changed or called: what runs, in float64, are the recorded graphs on copies of the
        tensors. The PyTorch model is taken as it is now, the Keras model as it was matched, with the
        weights that it has now.

        Args:
            inputs: what the Keras model takes, of the shapes it was matched on; random when left out.
            dtype: what to compute in. In `float32` every place is held to what rounding does to the
                Keras value there, so that small differences, of an epsilon for example, do not show.
            rtol: the largest difference, in standard deviations, that counts as rounding; where the
                Keras model can only be run in float32, what rounding does to it there counts, too.
            seed: of the random inputs.

        Raises:
            VerificationError: the models could not be run side by side.
            ValueError: there is no such dtype.

        Example:
            >>> print(match.verify())  # doctest: +SKIP
            verified: relative error 2.6e-15 end to end in float64, 138 places compared
        """
        from autoport.verify.verify import verify

        if dtype not in ("float64", "float32"):
            raise ValueError(f"dtype must be 'float64' or 'float32', not {dtype!r}")
        return verify(self.current(), inputs, dtype, rtol, seed)

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

        return certificate(self, self.verify() if verification is None else verification)

    def settle(self, inputs: Any = None, *, rtol: float = 1e-9, seed: int = 0) -> list[str]:
        """Runs both models to break ties, and to prove weights that structure left in doubt.

        Of operations that fit equally well those are paired with which both models compute the
        same. What proves right belongs to the match from then on; nothing else changes.

        Args:
            inputs: what the Keras model takes, of the shapes it was matched on; random when left out.
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
        from autoport.verify.settle import decide, provable

        before = self._decided("torch").entries.keys()
        self.matching = decide(self, inputs, rtol, seed)
        self.differences = self._compare()
        doubts = find_doubts(self.matching)
        provably = [node for node, doubt in doubts.items() if doubt.provable]
        proved = provable(self, provably, inputs, rtol, seed)
        self._conclude({node: doubt for node, doubt in doubts.items() if node not in proved})
        return [path for path in self._decided("torch").entries if path not in before]

    def trial(self, matching: Matching) -> Match:
        """This match with other pairs, and nothing in doubt; changes nothing here."""
        trial = copy(self)
        trial.matching, trial.shifted, trial._plans = matching, {}, {}
        trial._conclude({})
        return trial

    def reconcile(self) -> Reconciliation:
        """Sets hyper-parameters of the PyTorch model to what the Keras model has, where that is possible.

        Returns:
            What was set and what is left; `undo()` takes it back, `patch` is Python that does the same.

        Example:
            >>> print(match.reconcile())  # doctest: +SKIP
            set: bn1.eps = 0.001 (was 1e-05)
        """
        from autoport.verify.reconcile import reconcile

        result = reconcile(self.current(), self._torch_model)
        self.reconciled.append(result)
        return result

    @property
    def tf_name(self) -> str:
        """Name of the Keras model."""
        model = self.readings[0].model
        return str(getattr(model, "name", None) or getattr(model, "__name__", type(model).__name__))

    @property
    def torch_name(self) -> str:
        """Class of the PyTorch model."""
        return type(self._torch_model).__name__

    def current(self) -> Match:
        """This match; made anew if the PyTorch model computes something else than when it was read."""
        from autoport.keras.read import read
        from autoport.pytorch.read import reread

        for known in (self, self._latest or self):
            tf, before = known.readings
            torch = reread(self._torch_model, before)
            if torch is before:
                return known
        self._latest = Match(read(tf.model, tf.inputs), torch, self._torch_model, self._hints)
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

        found = build_report(self, verification)
        if output is not None:
            write(found, Path(output))
        elif format is None:
            print_report(found)
        else:
            return render(found, format)
        return None

    def __str__(self) -> str:
        return str(self.report("table"))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from autoport.report import build_report

        return build_report(self)._repr_html_()

    def __repr__(self) -> str:
        state = "complete" if self.complete else "incomplete"
        return f"<Match {state}: {len(self.pairs)} pairs, {len(self.differences)} differences>"

    def store(self, side: str) -> Store:
        """Reads and writes the tensors of one side, `tf` or `torch`, by path."""
        from autoport.pytorch.trace import stored_tensors

        if side == "tf":
            return KerasStore(self._variables)
        return TorchStore(dict(stored_tensors(self._torch_model)))

    def missing(self, to: str = "torch") -> dict[str, Reason]:
        """Tensors of the target that its forward pass reads and the plan does not write, with reasons."""
        graph, plan = self._side(to), self._decided(to)
        reasons = self._reasons(to)
        return {
            path: plan.conflicts.get(path) or reasons.get(path, Reason(Code.NO_PARTNER))
            for path in graph.read_tensors()
            if path not in plan.entries
        }

    def unexpected(self, to: str = "torch") -> dict[str, Reason]:
        """Tensors of the source that its forward pass reads and the plan does not use as a whole, with reasons."""
        source = "tf" if to == "torch" else "torch"
        graph, plan, reasons = self._side(source), self._decided(to), self._reasons(source)
        carried = plan.carried
        lost = {
            path: plan.refused.get(path) or reasons.get(path, Reason(Code.NO_PLACE))
            for path in graph.read_tensors()
            if path not in carried
        }
        partly = {path for path in reasons if 0 < carried[path] < math.prod(graph.tensors[path].shape)}
        return lost | {path: Reason.of(Code.PART_CARRIED, reason=reasons[path]) for path in partly}

    def _side(self, side: str) -> Graph:
        return self.graph_torch if side == "torch" else self.graph_tf

    def _reasons(self, side: str) -> dict[str, Reason]:
        rows = self.unmatched_torch if side == "torch" else self.unmatched_tf
        return {path: row.reason for row in rows for path in row.tensors}


def _direction(to: str) -> str:
    if to not in ("torch", "tf"):
        raise ValueError(f"to must be 'torch' or 'tf', not {to!r}")
    return to
