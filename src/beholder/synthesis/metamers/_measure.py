"""Measuring metamers: their match at every layer, and what the network calls original and metamer."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from beholder._core.errors import InputError
from beholder._core.progress import logger
from beholder.activations import LayerRef, Match, RankedValues, compute_match, count_calls, parse_layer, probe_layers
from beholder.models import Model, Vocabulary, copy_model, list_vocabularies, pick_decision, run_eagerly
from beholder.synthesis.engine._session import SynthesisSession
from beholder.synthesis.engine._validate import make_example
from beholder.synthesis.gradients._network import WHOLE, Network

OUTPUT = "output"
_N_BEST, _DEPTH = 5, 2


@final
@dataclass(frozen=True)
class Prediction:
    """What a network calls a stimulus.

    Attributes
    ----------
    answers : mapping of str to str
        The answer by each decision that the network can make: ``category``, ``word``, ``class``. Empty for networks
        whose output is no list of classes, and where the output is NaN.
    label : str or None
        Name of the highest output.
    index : int or None
    best : tuple of (str, float)
        The five highest outputs, name and value.
    """

    answers: Mapping[str, str]
    label: str | None = None
    index: int | None = None
    best: tuple[tuple[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        best = [[name, value] for name, value in self.best]
        return {"answers": dict(self.answers), "label": self.label, "index": self.index, "best": best}


@final
class AnswerReader:
    """Reads a network's outputs as answers, and says which decision counts for a stimulus.

    Parameters
    ----------
    model : Model
        For the names of its outputs.
    rule : {"first", "mean", "max", "sum"}
        Of categories.
    """

    def __init__(self, model: Model, rule: str = "first") -> None:
        self._model, self._rule = model, rule
        self._width = 0
        self._names: tuple[str, ...] = ()
        self._vocabularies: tuple[Vocabulary, ...] = ()

    def read(self, outputs: np.ndarray) -> list[Prediction]:
        """Answers of each row.

        Parameters
        ----------
        outputs : ndarray, (n_stimuli, ...)
            Logits. Outputs of more than two axes give no answer.
        """
        if outputs.ndim != 2 or outputs.shape[1] < 2:
            return [Prediction({})] * len(outputs)
        self._learn(outputs.shape[1])
        found = []
        for row in outputs:
            if np.isnan(row).any():
                found.append(Prediction({}))
                continue
            order = np.argsort(-row, kind="stable")
            best = tuple((self._names[i], float(row[i])) for i in order[:_N_BEST])
            answers = {
                each.decision: best[0][0] if each.decision == "class" else str(each.decide(row[None])[0])
                for each in self._vocabularies
            }
            found.append(Prediction(answers, best[0][0], int(order[0]), best))
        return found

    def _learn(self, width: int) -> None:
        """Names and decisions for outputs of one width."""
        if width == self._width:
            return
        classes = self._model.classes or ()
        made = list_vocabularies(width, classes, self._model.modality, self._rule)
        self._vocabularies = made or (Vocabulary("class", width, tuple(map(str, range(width)))),)
        unique = self._vocabularies[-1].answers
        names = classes if len(classes) == width else unique
        counts = Counter(names)
        self._names = tuple(name if counts[name] == 1 else own for name, own in zip(names, unique, strict=True))
        self._width = width

    def pick(self, original: Prediction, label: str, says: str) -> tuple[str | None, str | None]:
        """Decision and rule that count for a stimulus; both None for networks that give no answers.

        Parameters
        ----------
        original : Prediction
            Of the original.
        label, says : str
            Its class, and the decision that its set asks for; empty where unknown.
        """
        top = ""
        if original.index is not None:
            top = self._vocabularies[-1].answers[original.index]
        picked = pick_decision(self._vocabularies, label, top, says)
        return (None, None) if picked is None else (picked.decision, picked.rule or None)


def list_measured_layers(model: Model, asked: Sequence[str], example: Any) -> list[str]:
    """Layers at which every metamer is measured.

    The network's stages or recorded layers; of networks without any, every child module down to two levels that runs
    once and gives a floating-point tensor; and the layers asked for.

    Parameters
    ----------
    model : Model
    asked : sequence of str
        Exact names.
    example : Tensor, (1, *input_shape)
        On the model's device.
    """
    if model.stages:
        return list(dict.fromkeys([*model.stages, *asked]))
    model = copy_model(model)
    children = [name for name, _ in model.module.named_modules() if name and name.count(".") < _DEPTH]
    refs = {name: parse_layer(name) for name in children}
    calls = count_calls(model.module, refs, lambda: _run_once(model, example))
    usable = _keep_usable(model, {name: ref for name, ref in refs.items() if calls[name] == 1}, example)
    left = [name for name in children if name not in usable]
    if left:
        logger.debug("not measured, since they do not run once with one floating-point tensor: %s", ", ".join(left))
    return [*usable, *(name for name in asked if name not in usable)]


def _run_once(model: Model, batch: Any) -> Any:
    with torch.no_grad():
        return model.run(batch)


def _keep_usable(model: Model, refs: dict[str, LayerRef], example: Any) -> list[str]:
    def look(some: dict[str, LayerRef]) -> bool:
        try:
            probe_layers(model.module, some, model.run, example, axes=model.axes, modality=model.modality)
        except InputError:
            return False
        return True

    names = list(refs) if look(refs) else [name for name, ref in refs.items() if look({name: ref})]
    with torch.no_grad():
        captured = Network(model, names, example).run(example, [1], names, {})
    return [name for name in names if captured.tensors[name].is_floating_point()] if names else []


def gives_answers(model: Model, example: Any) -> bool:
    """Whether what a network returns is a tensor with a row of numbers a stimulus; detectors give lists of boxes."""
    model = copy_model(model)
    try:
        probe_layers(model.module, {OUTPUT: WHOLE}, model.run, example, modality=model.modality)
    except InputError:
        return False
    return True


def check_measured(model: Model, names: Sequence[str], example: Any) -> None:
    """Refuse names that are no layers of the model, before anything is written."""
    with run_eagerly(), torch.no_grad():
        Network(model, list(names), example)


@final
@dataclass(frozen=True, eq=False)
class Measured:
    """How one metamer compares with its original.

    Attributes
    ----------
    matches : dict of str to Match
        For each measured layer.
    prediction : Prediction
    """

    matches: dict[str, Match]
    prediction: Prediction


@final
class Measurer:
    """Compares stimuli with originals at many layers; keeps what it knows of the latest originals.

    Parameters
    ----------
    session : SynthesisSession
    layers : sequence of str
        Measured layers.
    rule : {"first", "mean", "max", "sum"}
        Of categories.
    """

    def __init__(self, session: SynthesisSession, layers: Sequence[str], rule: str = "first") -> None:
        answers = gives_answers(session.model, make_example(session.model, session.shape))
        self.layers, self._n_kept = tuple(layers), max(2, session.n_concurrent_batches)
        names: list[str] = [*layers, *([OUTPUT] if answers else [])]
        self._names = tuple(dict.fromkeys(names))
        self._network = session.open_network(self._names)
        self.reader = AnswerReader(session.model, rule)
        self._originals: OrderedDict[str, tuple[dict[str, RankedValues], Prediction]] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, image: np.ndarray) -> tuple[dict[str, RankedValues], Prediction]:
        """One stimulus through the network: its activations and what it is called."""
        batch = torch.from_numpy(np.ascontiguousarray(image))[None].to(self._network.device)
        with torch.no_grad():
            captured = self._network.run(batch, [1], self._names, {})
        values = {name: RankedValues(captured.tensors[name][0].float().cpu().numpy()) for name in self.layers}
        if OUTPUT not in captured.tensors:
            return values, Prediction({})
        logits = captured.tensors[OUTPUT].float().cpu().numpy()
        return values, self.reader.read(logits)[0]

    def look_at_original(self, stimulus_id: str, image: np.ndarray) -> tuple[dict[str, RankedValues], Prediction]:
        """The same for an original, once for all of its metamers that follow each other."""
        with self._lock:
            found = self._originals.get(stimulus_id)
        if found is None:
            found = self.look(image)
            with self._lock:
                self._originals[stimulus_id] = found
                while len(self._originals) > self._n_kept:
                    self._originals.popitem(last=False)
        return found

    def compare(self, stimulus_id: str, original: np.ndarray, image: np.ndarray) -> Measured:
        """Measure a metamer."""
        before, _ = self.look_at_original(stimulus_id, original)
        after, prediction = self.look(image)
        return Measured({name: compute_match(before[name], after[name]) for name in self.layers}, prediction)
