"""A network as a participant: what it answers follows from its activations."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from beholder._core.errors import InputError
from beholder.activations import capture, parse_layer, probe_layers
from beholder.evaluation._saved_stimuli import prepare_shown
from beholder.evaluation._verdicts import list_vocabularies
from beholder.experiments import (
    Experiment,
    Observation,
    Observer,
    Shown,
    TrialFinder,
    TrialUnit,
    get_task_kind,
    list_asked_files,
    list_trials,
)
from beholder.models import Model, copy_model, try_to_identify

if TYPE_CHECKING:
    from beholder.activations import ProbedLayer

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
    similarity       the rating whose proportion of the folder's pairs is as near
    ===============  =================================================================================================

    Distances are 1 minus the correlation of activations at ``layer``, by default the output. Confidence is how far the
    two sides are apart, as a proportion of both. Nothing is random: what a person would draw by chance it does not,
    unless a ``temperature`` grades the choice between two.

    Parameters
    ----------
    model : Model
    experiment : Experiment
        The built folder: units of the trials, and pairs to scale ratings by, are read there.
    layer : str, optional
        A layer's name.
    temperature : float, above 0, optional
        Of two alternatives (2afc, counterfactual), choose the first with the probability
        1 / (1 + exp(-d / temperature)), d what speaks for it less what speaks for the second: the softmax of both. With
        ``layer``, d is a difference of correlations. Confidence is then how far that probability is from 1/2, times 2.

    Raises
    ------
    InputError
        A temperature of 0 or less, or for another kind of trial; a network of another sense, without names for its
        outputs where they are asked, or without the trials' units.
    """

    def __init__(
        self, model: Model, experiment: Experiment, layer: str | None = None, temperature: float | None = None
    ) -> None:
        if temperature is not None:
            _check_temperature(temperature, experiment.kind)
        self.temperature = temperature
        self.model = model
        self._ready = copy_model(model)
        self.layer = layer
        self._finder = TrialFinder(experiment)
        self._experiment = experiment
        self._kept: OrderedDict[Key, np.ndarray] = OrderedDict()
        self._kept_bytes = 0
        self._drives: dict[tuple[str, int, str], float] = {}
        self._probed: dict[str, ProbedLayer] = {}
        self._scale: np.ndarray | None = None
        self._network, self._rng = try_to_identify(model), None
        first = next(list_asked_files(experiment.tasks[0].trials[0], experiment.kind))[0]
        self._check([Shown(first.read_bytes)])

    @property
    def measures(self) -> dict[str, float]:
        """The temperature, where there is one."""
        return {} if self.temperature is None else {"temperature": self.temperature}

    @property
    def names(self) -> dict[str, str]:
        """The network's name with its weights, and the layer where one was asked for."""
        return {"network": self.model.name} | ({} if self.layer is None else {"network_layer": self.layer})

    def answer(self, observation: Observation, rng: np.random.Generator) -> dict[str, object]:
        """See :meth:`beholder.experiments.Observer.answer`."""
        self._forget_another_network(rng)
        rule = get_task_kind(observation.kind).network
        if rule.by == "names":
            return self._name(observation)
        if rule.decide is None:
            first, second = self._prefer(observation)
            if self.temperature is not None:
                share = choose_share((first - second) / self.temperature)
                answer = observation.answers[0 if rng.random() < share else 1]
                return observation.respond(answer, abs(2 * share - 1))
            total = abs(first) + abs(second)
            confidence = abs(first - second) / total if total > 0 else 0.0
            answer = observation.answers[0 if first >= second else 1]
            return observation.respond(answer, confidence)
        steps = observation.rating_steps
        return observation.respond(rule.decide(observation.asked, self._measure, self._get_scale, steps))

    def _forget_another_network(self, rng: object) -> None:
        """Once a participant: what the network made of stimuli counts no more where it has changed, as by training."""
        if rng is self._rng:
            return
        network, self._rng = try_to_identify(self.model), rng
        if network is None or network != self._network:
            self._ready = copy_model(self.model)
            self._kept.clear()
            self._drives.clear()
            self._probed.clear()
            self._kept_bytes, self._scale, self._network = 0, None, network

    def _name(self, observation: Observation) -> dict[str, object]:
        logits = self._get_activations("", observation.asked)[0]
        names, meant = self._list_names(logits.size, observation.choices)
        allowed = np.flatnonzero(np.isin(names, [name for name in meant if name]))
        order = allowed[np.argsort(-logits[allowed], kind="stable")]
        best = str(names[order[0]])
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
                return np.array(vocabulary.meanings), meant
        raise InputError(
            "a network whose outputs are the choices", got=f"{self.model.name}, which knows none of {choices[0]!r}, …",
            hint="another --model_name",
        )  # fmt: skip

    def _prefer(self, observation: Observation) -> tuple[float, float]:
        """How much speaks for each of the two answers."""
        asked = observation.asked
        if self.layer is None:
            unit = self._find_unit(observation)
            first, second = (self._drive(unit, shown) for shown in asked)
            return first, second
        rule = get_task_kind(observation.kind).network
        near = observation.places[rule.near]
        far = observation.places[rule.far] if rule.far else ()
        self._get_activations(self.layer, (*asked, *near, *far), normalized=True)
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
        a, b = self._get_activations(self.layer or "", (first, second), normalized=True)
        return 1.0 - float(np.einsum("i,i->", a, b, dtype=np.float64))  # without BLAS: the same for any threads

    def _get_scale(self) -> np.ndarray:
        """The distances of all pairs of the folder, ascending."""
        if self._scale is None:
            kind = self._experiment.kind
            pairs = {files for trial in list_trials(self._experiment) for files in list_asked_files(trial, kind)}
            shown = {path: Shown(path.read_bytes) for path in sorted({path for pair in pairs for path in pair})}
            self._get_activations(self.layer or "", list(shown.values()), normalized=True)
            self._scale = np.sort([self._measure(shown[a], shown[b]) for a, b in sorted(pairs)])
        return self._scale

    def _check(self, shown: Sequence[Shown]) -> None:
        """Fail before anybody joins where the network cannot take part."""
        by = get_task_kind(self._experiment.kind).network.by
        if by == "names":
            logits = self._get_activations("", shown)[0]
            self._list_names(logits.size, self._experiment.settings.choices)
        elif by == "distances" or self.layer is not None:
            self._get_activations(self.layer or "", shown)
        else:
            self._record_units()

    def _drive(self, unit: TrialUnit, shown: Shown) -> float:
        """How strongly a stimulus drives a unit."""
        key = (unit.layer, unit.channel, shown.digest)
        if key not in self._drives:
            values = self._run([unit.layer], [shown])[unit.layer]
            self._drives[key] = float(self._average_channel(unit.layer, values, unit.channel)[0])
        return self._drives[key]

    def _record_units(self) -> None:
        """Record what the trials' units make of their queries, in one pass over the folder."""
        asked: dict[str, tuple[Shown, set[tuple[str, int]]]] = {}
        for trial in list_trials(self._experiment):
            if trial.unit is None:
                continue
            for path in (path for files in list_asked_files(trial, self._experiment.kind) for path in files):
                entry = asked.setdefault(self._finder.hash(path), (Shown(path.read_bytes), set()))
                entry[1].add((trial.unit.layer, trial.unit.channel))
        layers = sorted({layer for _, units in asked.values() for layer, _ in units})
        rows = list(asked.items())
        for start in range(0, len(rows) if layers else 0, _BATCH):
            part = rows[start : start + _BATCH]
            values = self._run(layers, [shown for _, (shown, _) in part])
            for layer in layers:
                for channel in sorted({c for _, (_, units) in part for name, c in units if name == layer}):
                    means = self._average_channel(layer, values[layer], channel)
                    for (digest, (_, units)), mean in zip(part, means, strict=True):
                        if (layer, channel) in units:
                            self._drives[layer, channel, digest] = float(mean)

    def _get_activations(self, layer: str, shown: Sequence[Shown], *, normalized: bool = False) -> list[np.ndarray]:
        """Activations at a layer, flat float32; ``normalized``: without mean, and of length 1 where they have any."""
        mark = f"{layer}|{normalized}"
        missing = {each.digest: each for each in shown if (mark, each.digest) not in self._kept}
        found = {each.digest: self._kept[mark, each.digest] for each in shown if each.digest not in missing}
        fresh = list(missing.values())
        for start in range(0, len(fresh), _BATCH):
            part = fresh[start : start + _BATCH]
            rows = self._run([layer], part)[layer].float().reshape(len(part), -1).cpu().numpy()
            for each, values in zip(part, rows, strict=True):
                values = _normalize_rows(values) if normalized else values
                found[each.digest] = self._kept[mark, each.digest] = values
                self._kept_bytes += values.nbytes
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return [found[each.digest] for each in shown]

    def _run(self, layers: Sequence[str], shown: Sequence[Shown]) -> dict[str, torch.Tensor]:
        """Activations by layer (empty: the output), batch axis first."""
        model = self._ready
        inputs = np.stack([prepare_shown(each.content, model.preprocessing) for each in shown])
        batch = torch.from_numpy(inputs).to(model.device)
        asked = [layer for layer in layers if layer]
        with torch.inference_mode():
            logits, captured = capture(model, batch, asked)
        if len(captured) != len(asked):
            raise InputError("one layer", got=f"{', '.join(asked)}, which means {', '.join(captured)}")
        values = {"": logits} if "" in layers else {}
        for asked_name, (name, tensor) in zip(asked, captured.items(), strict=True):
            values[asked_name] = self._probe(asked_name, name, batch[:1]).put_batch_first(tensor, len(batch))
        return values

    def _probe(self, asked: str, name: str, example: torch.Tensor) -> ProbedLayer:
        if asked not in self._probed:
            model = self._ready
            refs = {name: parse_layer(model.taps.get(name, name))}
            probed = probe_layers(model.module, refs, model.run, example, axes=model.axes, modality=model.modality)
            self._probed[asked] = probed[name]
        return self._probed[asked]

    def _average_channel(self, layer: str, values: torch.Tensor, channel: int) -> list[float]:
        """One channel's mean over space, time or tokens, (n,)."""
        axis = 1 + self._probed[layer].channel_axis
        if channel >= values.shape[axis]:
            raise InputError(f"a channel of {layer!r} from 0 to {values.shape[axis] - 1}", got=str(channel))
        return values.select(axis, channel).float().reshape(len(values), -1).mean(1).tolist()


def choose_share(difference: float) -> float:
    """How often the first of two is chosen, for a difference in units of the temperature: the logistic function.

    >>> choose_share(0.0), choose_share(-1000.0)
    (0.5, 0.0)
    """
    return 1 / (1 + math.exp(-difference)) if difference > -700 else 0.0


def _check_temperature(temperature: float, kind: str) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise InputError("a --temperature above 0", got=f"{temperature:g}")
    rule = get_task_kind(kind).network
    if rule.by == "names" or rule.decide is not None:
        raise InputError("trials of two alternatives for --temperature (2afc, counterfactual)", got=kind)


def _normalize_rows(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(dtype=np.float64).astype(np.float32)
    length = math.sqrt(float(np.square(values).sum(dtype=np.float64)))
    return values / np.float32(length) if length > 0 else values
