"""A network as a participant: what it answers follows from its activations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from beholder._core.errors import InputError
from beholder.activations import capture, parse_layer, probe_layers
from beholder.evaluation._saved_stimuli import prepare_shown
from beholder.evaluation._verdicts import Vocabulary, list_vocabularies
from beholder.experiments import (
    Experiment,
    Observation,
    Observer,
    Shown,
    TrialFinder,
    TrialUnit,
    list_asked_files,
    list_trials,
)
from beholder.models import Model, unwrap_module
from beholder.stimuli import load_class_categories

if TYPE_CHECKING:
    from beholder.activations._probe import ProbedLayer

_KEPT_BYTES = 512 * 2**20
_BATCH = 16
Key = tuple[str, str]
"""A layer (empty: the output), and the sha256 of a stimulus."""


@final
class NetworkObserver(Observer):
    """Follows a network's activations.

    ===============  =================================================================================================
    2afc             the query that drives the trial's unit more; with ``layer``, the one whose activations there
                     correlate more with the right references', less with the left's
    counterfactual   likewise: the copy that drives the unit more, or is nearer to the references
    recognition      the first of the choices among its outputs, by :func:`~beholder.stimuli.decide_category`'s rule
    words            the first of the choices among its words
    same_different   same where the distance of the two is below the median of all pairs in the folder
    odd_one_out      the one that is left when the two nearest are taken together
    similarity       the rating whose share of the folder's pairs is as near
    ===============  =================================================================================================

    Distances are 1 minus the correlation of activations at ``layer``, by default the output. Confidence is how far the
    two sides are apart, as a share of both. Nothing is random: what a person would draw by chance it does not.

    Parameters
    ----------
    model : Model
    experiment : Experiment
        The built folder: units of the trials, and pairs to scale ratings by, are read there.
    layer : str, optional
        A layer's name.

    Raises
    ------
    InputError
        A network of another sense, without names for its outputs where they are asked, or without the trials' units.
    """

    def __init__(self, model: Model, experiment: Experiment, layer: str | None = None) -> None:
        self.model = model
        self.layer = layer
        self._finder = TrialFinder(experiment)
        self._experiment = experiment
        self._kept: OrderedDict[Key, np.ndarray] = OrderedDict()
        self._kept_bytes = 0
        self._probed: dict[str, ProbedLayer] = {}
        self._scale: np.ndarray | None = None
        first = next(list_asked_files(experiment.tasks[0].trials[0], experiment.kind))[0]
        self._check([Shown(first.read_bytes)])

    def answer(self, observation: Observation, rng: np.random.Generator) -> dict[str, object]:
        """See :meth:`beholder.experiments.Observer.answer`."""
        kind, asked = observation.kind, observation.asked
        if kind in ("recognition", "words"):
            return self._name(observation)
        if kind in ("2afc", "counterfactual"):
            first, second = self._prefer(observation)
            spread = abs(first) + abs(second)
            confidence = abs(first - second) / spread if spread > 0 else 0.0
            answer = observation.answers[0 if first >= second else 1]
            return observation.respond(answer, confidence)
        if kind == "odd_one_out":
            far = [self._measure(asked[(k + 1) % 3], asked[(k + 2) % 3]) for k in range(3)]
            return observation.respond(int(np.argmin(far)))
        distance, scale = self._measure(*asked), self._get_scale()
        if kind == "same_different":
            same = distance == 0 or distance < float(np.median(scale))
            return observation.respond("same" if same else "different")
        nearer = (np.searchsorted(scale, distance, "left") + np.searchsorted(scale, distance, "right")) / 2 / len(scale)
        steps = observation.rating_steps
        return observation.respond(steps - min(int(nearer * steps), steps - 1))

    def _name(self, observation: Observation) -> dict[str, object]:
        logits = self._look("", observation.asked)[0]
        names, meant = self._list_names(logits.size, observation.choices)
        allowed = np.flatnonzero(np.isin(names, [name for name in meant if name]))
        order = allowed[np.argsort(-logits[allowed], kind="stable")]
        best = names[order[0]]
        others = order[names[order] != best]
        margin = 1.0
        if len(others):
            margin = float(np.tanh((logits[order[0]] - logits[others[0]]) / 2))
        return observation.respond(observation.choices[meant.index(best)], max(0.0, margin))

    def _list_names(self, n_outputs: int, choices: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """What each output means in the choices' words, and what each choice is called there."""
        for vocabulary in list_vocabularies(n_outputs, self.model.classes, self.model.modality):
            meant = [vocabulary.look_up(choice) for choice in choices]
            if any(meant):
                return np.array(_name_outputs(vocabulary)), meant
        raise InputError(
            "a network whose outputs are the choices", got=f"{self.model.name}, which knows none of {choices[0]!r}, …",
            hint="another --model_name",
        )  # fmt: skip

    def _prefer(self, observation: Observation) -> tuple[float, float]:
        """How much speaks for each of the two answers."""
        asked = observation.asked
        if self.layer is None:
            unit = self._find_unit(observation)
            values = self._look(unit.layer, asked, unit.channel)
            return float(values[0].item()), float(values[1].item())
        near = observation.places["right" if observation.kind == "2afc" else "references"]
        far = observation.places["left"] if observation.kind == "2afc" else ()
        first, second = (
            np.mean([2 - self._measure(shown, each) for each in near])
            - (np.mean([2 - self._measure(shown, each) for each in far]) if far else 0.0)
            for shown in asked
        )
        return float(first), float(second)

    def _find_unit(self, observation: Observation) -> TrialUnit:
        units = {trial.unit for trial in self._finder.find(observation)}
        unit = units.pop()
        if unit is None or units:
            raise InputError(
                "trials about one unit", got="trials without one" if unit is None else "the same trial of several",
                hint="--layer LAYER to go by the likeness to the references",
            )  # fmt: skip
        return unit

    def _measure(self, first: Shown, second: Shown) -> float:
        """1 minus the correlation of two stimuli's activations; 0 for the same stimulus."""
        if first.digest == second.digest:
            return 0.0
        a, b = (values - values.mean() for values in self._look(self.layer or "", (first, second)))
        length = float(np.linalg.norm(a) * np.linalg.norm(b))
        return 1.0 - float(a @ b) / length if length > 0 else 1.0

    def _get_scale(self) -> np.ndarray:
        """The distances of all pairs of the folder, ascending."""
        if self._scale is None:
            kind = self._experiment.kind
            pairs = {files for trial in list_trials(self._experiment) for files in list_asked_files(trial, kind)}
            shown = {path: Shown(path.read_bytes) for pair in pairs for path in pair}
            self._scale = np.sort([self._measure(shown[a], shown[b]) for a, b in sorted(pairs)])
        return self._scale

    def _check(self, shown: Sequence[Shown]) -> None:
        """Fail before anybody joins where the network cannot take part."""
        if self._experiment.kind in ("recognition", "words"):
            logits = self._look("", shown)[0]
            self._list_names(logits.size, self._experiment.settings.choices)
        elif self._experiment.kind not in ("2afc", "counterfactual") or self.layer is not None:
            self._look(self.layer or "", shown)
        else:
            for unit in sorted({trial.unit for trial in list_trials(self._experiment) if trial.unit}, key=str)[:1]:
                self._look(unit.layer, shown, unit.channel)

    def _look(self, layer: str, shown: Sequence[Shown], channel: int | None = None) -> list[np.ndarray]:
        """Activations at a layer, flat float32; of one channel its mean."""
        mark = layer if channel is None else f"{layer}[{channel}]"
        missing = {each.digest: each for each in shown if (mark, each.digest) not in self._kept}
        found = {each.digest: self._kept[mark, each.digest] for each in shown if each.digest not in missing}
        fresh = list(missing.values())
        for start in range(0, len(fresh), _BATCH):
            part = fresh[start : start + _BATCH]
            for each, values in zip(part, self._run(layer, part, channel), strict=True):
                found[each.digest] = self._kept[mark, each.digest] = values
                self._kept_bytes += values.nbytes
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return [found[each.digest] for each in shown]

    def _run(self, layer: str, shown: Sequence[Shown], channel: int | None) -> list[np.ndarray]:
        model = self.model
        inputs = np.stack([prepare_shown(each.content, model.preprocessing) for each in shown])
        batch = torch.from_numpy(inputs).to(model.device)
        with torch.inference_mode():
            logits, layers = capture(model, batch, [layer] if layer else [])
        if layer and len(layers) != 1:
            raise InputError("one layer", got=f"{layer!r}, which means {', '.join(layers)}")
        values = next(iter(layers.values())) if layer else logits
        if layer:
            probed = self._probe(next(iter(layers)), batch[:1])
            values = probed.put_batch_first(values)
            if channel is not None:
                values = _average_channel(values, 1 + probed.axes.index("channel"), channel)
        return list(values.float().reshape(len(shown), -1).cpu().numpy())

    def _probe(self, layer: str, example: torch.Tensor) -> ProbedLayer:
        if layer not in self._probed:
            model, inner = self.model, unwrap_module(self.model.module)
            refs = {layer: parse_layer(model.taps.get(layer, layer))}
            probed = probe_layers(inner, refs, lambda x: model.forward(inner, model.normalize(x)), example)
            self._probed[layer] = probed[layer]
        return self._probed[layer]


def _average_channel(values: torch.Tensor, axis: int, channel: int) -> torch.Tensor:
    """One channel's mean over space, time or tokens, (n,)."""
    if channel >= values.shape[axis]:
        raise InputError(f"a channel from 0 to {values.shape[axis] - 1}", got=str(channel))
    return values.select(axis, channel).float().reshape(len(values), -1).mean(1)


def _name_outputs(vocabulary: Vocabulary) -> Sequence[str]:
    """What each output means, in the vocabulary's answers; empty for what is in none."""
    return load_class_categories() if vocabulary.decision == "category" else vocabulary.answers
