"""A network as a participant: its answers against activations read by plain hooks and numpy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.experiment_folders import NO_PRACTICE, write_folder

import beholder as bh
from beholder._core.errors import InputError
from beholder.evaluation import NetworkObserver
from beholder.experiments import Observation, Shown, list_asked_files, list_trials, read_experiment
from beholder.stimuli import SHAPE_CATEGORIES, SYLLABLE_CATEGORIES, make_shape_picture, make_syllable, save_picture

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def net():
    return bh.load_model("beholder:shapes", device="cpu")


@pytest.fixture
def folder(tmp_path):
    """A small built folder whose pictures are shapes and whose units are the network's."""

    def write(kind, layer="block2.conv", changes=None, **options):
        options = {"n_tasks": 1, "n_trials": 3, "n_catch": 0} | options
        shutil.rmtree(tmp_path / "built", ignore_errors=True)
        write_folder(tmp_path / "built", kind, changes=NO_PRACTICE | (changes or {}), **options)  # pyright: ignore[reportArgumentType]
        for k, path in enumerate(sorted((tmp_path / "built").rglob("*.png"))):
            save_picture(path, make_shape_picture(SHAPE_CATEGORIES[k % 16], k))
        for key in (tmp_path / "built").rglob("key.json"):
            content = json.loads(key.read_text())
            for row in content["trials"]:
                row["unit"]["layer"] = layer
            key.write_text(json.dumps(content))
        return read_experiment(tmp_path / "built")

    return write


def see(kind, paths, choices=(), **options):
    """An observation of files: place to a file or files."""
    places = {
        name: tuple(Shown(path.read_bytes) for path in ([files] if isinstance(files, Path) else files))
        for name, files in paths.items()
    }
    return Observation(kind, "main", places, tuple(choices), **options)


KNOWN = {}


def read_layer(net, path, layer):
    """Activations by a plain hook, and the output, float64."""
    key = (path.read_bytes(), layer)
    if key not in KNOWN:
        KNOWN[key] = _read_layer(net, path, layer)
    return KNOWN[key]


def _read_layer(net, path, layer):
    kept = []
    handle = net.module.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[2].clone()))
    with torch.inference_mode():
        logits = net.module(net.normalize(torch.from_numpy(net.prepare(path))[None]))
    handle.remove()
    return kept[0][0].double().numpy(), logits[0].double().numpy()


def distance(net, a, b, layer):
    first, second = (read_layer(net, path, layer)[0].ravel() for path in (a, b))
    return 1 - np.corrcoef(first, second)[0, 1]


def test_a_unit_prefers_what_drives_it_more(net, folder):
    experiment = folder("2afc")
    observer = NetworkObserver(net, experiment)
    sides = set()
    trial: Any
    for trial in list_trials(experiment):
        low, high = (trial.files[f"query_{sign}"] for sign in ("min", "max"))
        means = [read_layer(net, path, "block2.conv")[0][trial.unit.channel].mean() for path in (low, high)]
        references = {
            place: [trial.files[f"reference_{sign}_{k}"] for k in range(9)]
            for place, sign in (("left", "min"), ("right", "max"))
        }
        seen = see("2afc", {"upper": low, "lower": high, **references}, confidence_steps=3)
        answer = observer.answer(seen, RNG)
        assert answer["choice"] == ("upper" if means[0] >= means[1] else "lower")
        margin = abs(means[0] - means[1]) / (abs(means[0]) + abs(means[1]))
        assert answer["confidence"] == min(int(margin * 3), 2) + 1
        sides.add(answer["choice"])
    assert sides == {"upper", "lower"}


def test_a_layer_prefers_what_is_like_the_references(net, folder):
    experiment = folder("2afc")
    observer = NetworkObserver(net, experiment, "block3")
    for trial in experiment.tasks[0].trials[:2]:
        queries = [trial.files[f"query_{sign}"] for sign in ("min", "max")]
        left, right = ([trial.files[f"reference_{sign}_{k}"] for k in range(3)] for sign in ("min", "max"))
        scores = [
            np.mean([distance(net, query, each, "block3") for each in left])
            - np.mean([distance(net, query, each, "block3") for each in right])
            for query in queries
        ]
        seen = see("2afc", {"upper": queries[0], "lower": queries[1], "left": left, "right": right})
        assert observer.answer(seen, RNG)["choice"] == ("upper" if scores[0] > scores[1] else "lower")


def test_a_temperature_grades_the_choice(net, folder):
    """The share of choices is the softmax of the difference of correlations, confidence goes with it."""
    experiment = folder("2afc")
    trial = experiment.tasks[0].trials[0]
    upper, lower = (trial.files[f"query_{sign}"] for sign in ("min", "max"))
    left, right = ([trial.files[f"reference_{sign}_{k}"] for k in range(3)] for sign in ("min", "max"))
    scores = [
        np.mean([distance(net, query, each, "classifier") for each in left])
        - np.mean([distance(net, query, each, "classifier") for each in right])
        for query in (upper, lower)
    ]
    temperature = float(abs(scores[0] - scores[1]))
    observer = NetworkObserver(net, experiment, "classifier", temperature)
    assert observer.measures == {"temperature": temperature}
    assert observer.names == {"network": net.name, "network_layer": "classifier"}
    seen = see("2afc", {"upper": upper, "lower": lower, "left": left, "right": right}, confidence_steps=3)
    rng = np.random.default_rng(1)
    answers = [observer.answer(seen, rng) for _ in range(2000)]
    share = np.mean([answer["choice"] == "upper" for answer in answers])
    expected = 1 / (1 + np.exp(-(scores[0] - scores[1]) / temperature))
    assert share == pytest.approx(expected, abs=0.035)  # three standard errors
    assert {answer["confidence"] for answer in answers} == {min(int(abs(2 * expected - 1) * 3), 2) + 1}
    cold = NetworkObserver(net, experiment, "classifier", 1e-9)
    plain = NetworkObserver(net, experiment, "classifier")
    assert cold.answer(seen, rng)["choice"] == plain.answer(seen, rng)["choice"]


def test_a_temperature_is_of_two_alternatives(net, folder):
    with pytest.raises(InputError, match="above 0; got 0"):
        NetworkObserver(net, folder("2afc", n_trials=1), None, 0.0)
    with pytest.raises(InputError, match=r"two alternatives for temperature.*; got odd_one_out"):
        NetworkObserver(net, folder("odd_one_out", n_trials=1), "block5", 0.1)


def test_counterfactual_goes_by_the_unit_too(net, folder):
    experiment = folder("counterfactual")
    observer = NetworkObserver(net, experiment)
    for trial in experiment.tasks[0].trials:
        files = [trial.files["min"], trial.files["max"]]
        means = [read_layer(net, path, "block2.conv")[0][trial.unit.channel].mean() for path in files]
        references = [trial.files[f"reference_{k}"] for k in range(9)]
        places = {"base": trial.files["base"], "left": files[0], "right": files[1], "references": references}
        answer = observer.answer(see("counterfactual", places), RNG)
        assert answer["choice"] == ("left" if means[0] >= means[1] else "right")


def test_recognition_is_the_best_of_the_choices(net, folder):
    choices = ["star", "spiral", "ring"]
    experiment = folder("recognition", changes={"choices": choices}, n_trials=9)
    observer = NetworkObserver(net, experiment)
    names = np.array(net.classes)
    for (path,) in {files for trial in list_trials(experiment) for files in list_asked_files(trial, "recognition")}:
        logits = read_layer(net, path, "block2.conv")[1]
        allowed: Any = {name: logits[list(names).index(name)] for name in choices}
        answer = observer.answer(see("recognition", {"stimulus": path}, choices), RNG)
        assert answer == {"label": max(allowed, key=allowed.get)}


def test_sounds_are_named_by_a_network_of_sounds(tmp_path):
    from beholder.stimuli import SYLLABLE_RATE, save_sound

    net = bh.load_model("beholder:syllables", device="cpu")
    choices = list(SYLLABLE_CATEGORIES)
    write_folder(
        tmp_path / "built", "words", n_tasks=1, n_trials=4, n_catch=0, changes=NO_PRACTICE | {"choices": choices}
    )
    observer = NetworkObserver(net, read_experiment(tmp_path / "built"))
    right = 0
    for k, word in enumerate(choices):
        save_sound(tmp_path / f"{word}.wav", make_syllable(word, k), SYLLABLE_RATE)
        right += observer.answer(see("words", {"stimulus": tmp_path / f"{word}.wav"}, choices), RNG) == {"word": word}
    assert right >= 14


def test_odd_one_out_leaves_the_nearest_pair(net, folder):
    experiment = folder("odd_one_out")
    observer = NetworkObserver(net, experiment, "block4")
    for trial in experiment.tasks[0].trials:
        items = [trial.files[slot] for slot in "abc"]
        far = [distance(net, items[1], items[2], "block4"), distance(net, items[0], items[2], "block4"),
               distance(net, items[0], items[1], "block4")]  # fmt: skip
        assert observer.answer(see("odd_one_out", {"items": items}), RNG) == {"choice": int(np.argmin(far))}


def test_ratings_and_same_different_follow_the_folders_distances(net, folder):
    experiment = folder("similarity", n_trials=9)
    observer = NetworkObserver(net, experiment, "block5")
    pairs = [files for trial in list_trials(experiment) for files in list_asked_files(trial, "similarity")]
    distances = [distance(net, *pair, "block5") for pair in pairs]  # pyright: ignore[reportCallIssue]
    ratings = [
        observer.answer(see("similarity", {"left": a, "right": b}, rating_steps=7), RNG)["rating"] for a, b in pairs
    ]
    order = np.argsort(distances)
    assert (np.diff(np.array(ratings)[order]) <= 0).all()  # the farther, the lower
    assert set(ratings) == set(range(1, 8))
    same = see("similarity", {"left": pairs[0][0], "right": pairs[0][0]})
    assert observer.answer(same, RNG) == {"rating": 7}

    twins = folder("same_different", n_trials=6)
    for trial in list_trials(twins):
        if trial.correct == "same":
            trial.files["second"].write_bytes(trial.files["first"].read_bytes())
    observer = NetworkObserver(net, twins)
    for trial in twins.tasks[0].trials:
        seen = see("same_different", {"first": trial.files["first"], "second": trial.files["second"]})
        assert observer.answer(seen, RNG) == {"choice": trial.correct}


def test_networks_that_cannot_take_part_are_refused_before_anybody_joins(net, folder):
    with pytest.raises(InputError, match="outputs are the choices"):
        NetworkObserver(net, folder("recognition", n_trials=1))
    with pytest.raises(InputError, match="block7"):
        NetworkObserver(net, folder("odd_one_out", n_trials=1), "block7")
    with pytest.raises(InputError, match="block9"):
        NetworkObserver(net, folder("2afc", layer="block9.conv", n_trials=1))
    with pytest.raises(InputError, match="pictures"):
        NetworkObserver(bh.load_model("beholder:syllables", device="cpu"), folder("similarity", n_trials=1))


def test_a_network_that_was_changed_answers_as_it_is_now(folder):
    """From the next participant on, who has random numbers of their own; nothing that was kept outlives the change."""
    net: Any
    net, choices = bh.load_model("beholder:shapes", device="cpu"), ["star", "spiral", "ring"]
    experiment = folder("recognition", changes={"choices": choices}, n_trials=3)
    paths = sorted({path for trial in list_trials(experiment) for path in next(list_asked_files(trial, "recognition"))})
    observer = NetworkObserver(net, experiment)

    def ask(rng):
        return [observer.answer(see("recognition", {"stimulus": path}, choices), rng)["label"] for path in paths]

    with torch.no_grad():
        logits = torch.stack([net(path)[0] for path in paths])[:, [net.classes.index(name) for name in choices]]
    assert ask(np.random.default_rng(1)) == [choices[i] for i in logits.argmax(1)]
    readout = [part for part in net.module.modules() if isinstance(part, torch.nn.Linear)][-1]
    readout.weight.data.neg_()
    readout.bias.data.neg_()
    assert ask(np.random.default_rng(2)) == [choices[i] for i in logits.argmin(1)]
