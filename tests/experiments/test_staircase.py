import math
from typing import Any

import numpy as np
import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.experiments import Adaptive, AdaptiveProcedure, find_level, pick_level, psychometric

# What the package questplus 2023.1 showed, and the answers it was given, with the estimates it came to.
WEIBULL_LOG: Any = [
    (-0.9, 1), (-1.1, 0), (-0.6, 1), (-0.6, 1), (-0.7, 1), (-0.8, 1), (-0.8, 1), (-0.9, 1), (-0.9, 1), (-1.0, 1),
    (-1.1, 0), (-0.9, 1), (-0.9, 1), (-0.9, 1), (-0.9, 1), (-0.9, 1), (-0.9, 1), (-1.0, 1), (-1.1, 1), (-1.1, 1),
    (-1.1, 0), (-0.9, 1), (-1.0, 1), (-1.0, 0), (-0.9, 0), (-0.8, 1), (-0.9, 1), (-0.9, 1), (-0.9, 1), (-0.9, 0),
]  # fmt: skip
WEIBULL_MEANS = {
    "threshold": -0.9191461283011779,
    "slope": 3.902366752883337,
    "guess": 0.5,
    "lapse": 0.019809171075507177,
}
NORMAL_LOG: Any = [
    (6.0, 1), (4.0, 0), (7.0, 1), (6.0, 1), (5.0, 0), (7.0, 1), (6.0, 1), (5.0, 1), (5.0, 1), (4.0, 0), (6.0, 1),
    (5.0, 1), (4.0, 0), (5.0, 0), (6.0, 1), (6.0, 0), (7.0, 0), (7.0, 1), (7.0, 1), (7.0, 1), (7.0, 1), (7.0, 1),
    (7.0, 0), (8.0, 1), (8.0, 1), (8.0, 1), (4.0, 0), (7.0, 1), (7.0, 1), (5.0, 1),
]  # fmt: skip
WEIBULL = {
    "method": "quest+", "levels": np.linspace(-2, 0, 21).round(6).tolist(),
    "thresholds": np.linspace(-2, 0, 21).round(6).tolist(), "slopes": [1.0, 2.0, 3.5, 5.0, 8.0],
    "guesses": [0.5], "lapses": [0.0, 0.02, 0.04],
}  # fmt: skip
NORMAL = {
    "method": "quest+", "levels": np.arange(11.0).tolist(), "thresholds": np.linspace(0, 10, 21).tolist(),
    "slopes": [2.0, 1.0, 0.5, 0.25], "guesses": [0.25], "lapses": [0.02], "function": "normal",
}  # fmt: skip


@pytest.mark.parametrize(("settings", "log"), [(WEIBULL, WEIBULL_LOG), (NORMAL, NORMAL_LOG)], ids=["weibull", "normal"])
def test_quest_plus_shows_what_the_reference_shows(settings, log):
    made = AdaptiveProcedure.from_dict(settings)
    for level, correct in log:
        assert made.next_level() == pytest.approx(level)
        made.update(level, bool(correct))


def test_quest_plus_estimates_what_the_reference_estimates():
    made: Any = AdaptiveProcedure.from_dict(WEIBULL).replay(WEIBULL_LOG)
    assert made.estimate_parameters() == pytest.approx(WEIBULL_MEANS)
    normal = AdaptiveProcedure.from_dict(NORMAL).replay(NORMAL_LOG).estimate_parameters()  # pyright: ignore[reportAttributeAccessIssue]
    assert normal["threshold"] == pytest.approx(5.266791363079394)


def expect_entropy_plainly(settings, answers):
    """The formula of the paper, point by point of the grid."""
    grid = [
        (t, s, g, la)
        for t in settings["thresholds"]
        for s in settings["slopes"]
        for g in settings["guesses"]
        for la in settings["lapses"]
    ]

    def chance(x, point):
        t, s, g, la = point
        return g + (1 - g - la) / (1 + math.exp(-s * (x - t)))

    weights = [1.0] * len(grid)
    for level, correct in answers:
        weights = [
            w * (chance(level, q) if correct else 1 - chance(level, q)) for w, q in zip(weights, grid, strict=True)
        ]
    weights = [w / sum(weights) for w in weights]
    expected = []
    for level in settings["levels"]:
        total = 0.0
        for right in (True, False):
            joint = [
                w * (chance(level, q) if right else 1 - chance(level, q)) for w, q in zip(weights, grid, strict=True)
            ]
            share = sum(joint)
            total += share * -sum(j / share * math.log(j / share) for j in joint if j > 0)
        expected.append(total)
    return expected


def test_quest_plus_with_a_logistic_function_is_the_formula():
    settings = {
        "method": "quest+", "levels": [0.0, 1.0, 2.0, 3.0, 4.0], "thresholds": [0.5, 1.5, 2.5, 3.5],
        "slopes": [1.0, 3.0],
        "guesses": [0.0, 0.25], "lapses": [0.02, 0.1], "function": "logistic",
    }  # fmt: skip
    answers = []
    made: Any = AdaptiveProcedure.from_dict(settings)
    for correct in (True, False, True, True, False):
        expected = expect_entropy_plainly(settings, answers)
        assert made.expect_entropy() == pytest.approx(expected)
        level: Any = made.next_level()
        assert level == settings["levels"][int(np.argmin(expected))]
        answers.append((level, correct))
        made.update(level, correct)


def test_levels_that_fall_mirror_levels_that_rise():
    rising = {
        "method": "quest+",
        "levels": [-3.0, -2.0, -1.0, 0.0],
        "thresholds": [-2.5, -1.5, -0.5],
        "slopes": [1.0, 4.0],
    }
    falling = rising | {"levels": [3.0, 2.0, 1.0, 0.0], "thresholds": [2.5, 1.5, 0.5]}
    a, b = AdaptiveProcedure.from_dict(rising), AdaptiveProcedure.from_dict(falling)
    for correct in (True, True, False, True, False, False):
        level: Any = a.next_level()
        assert b.next_level() == -level
        a.update(level, correct)
        b.update(-level, correct)
    assert b.estimate().threshold == pytest.approx(-a.estimate().threshold)
    assert b.estimate().low == pytest.approx(-a.estimate().high)


def test_quest_plus_finds_the_threshold_of_an_observer():
    rng = np.random.default_rng(4)
    levels = tuple(np.geomspace(0.02, 1, 15))
    adaptive = Adaptive(target=0.75, guess=0.5, lapse=0.02)
    truth = 10 ** find_level(0.75, math.log10(0.15), 4.0, 0.5, 0.02)
    answers = []
    for _ in range(120):
        level = levels[pick_level(adaptive, levels, answers)]
        answers.append((level, rng.random() < psychometric(math.log10(level), math.log10(0.15), 4.0, 0.5, 0.02)))
    from beholder.experiments.adaptive._staircase import describe_adaptive

    made = AdaptiveProcedure.from_dict(describe_adaptive(adaptive, levels)).replay(answers).estimate()
    assert made.low < truth < made.high
    assert made.threshold == pytest.approx(truth, rel=0.25)
    assert made.n_trials == 120


def step_plainly(levels, up, down, start, answers):
    """The staircase in a few lines: runs of equal answers move it by one."""
    place, run, shown = start, [], []
    for correct in answers:
        shown.append(levels[place])
        run = [*run, correct] if run and run[-1] == correct else [correct]
        if run == [True] * down:
            place, run = max(place - 1, 0), []
        elif run == [False] * up:
            place, run = min(place + 1, len(levels) - 1), []
    return shown


@pytest.mark.parametrize(("up", "down"), [(1, 1), (1, 2), (1, 3), (2, 3)])
def test_up_down_moves_as_the_rule_says(up, down):
    levels = list(range(10))
    answers = np.random.default_rng(up * 10 + down).random(80) < 0.7
    made = AdaptiveProcedure.from_dict({"method": "up_down", "levels": levels, "up": up, "down": down, "start": 8})
    shown = []
    for correct in answers:
        shown.append(made.next_level())
        made.update(shown[-1], bool(correct))
    assert shown == step_plainly(levels, up, down, 8, answers.tolist())


@pytest.mark.parametrize(("up", "down"), [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2)])
def test_up_down_settles_where_the_theory_says(up, down):
    made: Any = AdaptiveProcedure.from_dict({"method": "up_down", "levels": [0, 1], "up": up, "down": down})
    if up == 1:
        assert made.target == pytest.approx(0.5 ** (1 / down))
    if down == 1:
        assert 1 - made.target == pytest.approx(0.5 ** (1 / up))
    levels = np.linspace(-4, 4, 161).tolist()
    rng = np.random.default_rng(0)
    stairs = AdaptiveProcedure.from_dict({"method": "up_down", "levels": levels, "up": up, "down": down, "start": 80})
    chances = []
    for _ in range(6000):
        level: Any = stairs.next_level()
        chances.append(float(psychometric(level, 0, 1.5, 0, 0, function="logistic")))
        stairs.update(level, bool(rng.random() < chances[-1]))
    assert np.mean(chances[500:]) == pytest.approx(made.target, abs=0.02)


def test_up_down_takes_smaller_steps_after_reversals_and_ends():
    settings = {
        "method": "up_down", "levels": list(range(20)), "up": 1, "down": 1, "start": 19, "steps": [4, 2, 1],
        "n_reversals": 4, "n_averaged": 2,
    }  # fmt: skip
    made = AdaptiveProcedure.from_dict(settings)
    shown = []
    for correct in (True, True, True, False, True, False, True):
        shown.append(made.next_level())
        made.update(shown[-1], correct)
    assert shown == [19, 15, 11, 7, 9, 8, 9]
    assert made.next_level() is None
    assert made.estimate().threshold == 8.5  # the last two of the reversals at 7, 9, 8, 9


def test_constant_stimuli_show_each_level_in_each_block():
    settings = {"method": "constant", "levels": [1, 2, 3, 4], "n_per_level": 3, "seed": 5}
    made = AdaptiveProcedure.from_dict(settings)
    shown = []
    while (level := made.next_level()) is not None:
        shown.append(level)
        made.update(level, level >= 3)
    assert [sorted(shown[i : i + 4]) for i in (0, 4, 8)] == [[1, 2, 3, 4]] * 3
    assert shown[:4] != shown[4:8] or shown[:4] != shown[8:]
    assert made.estimate().threshold == 2.75  # three quarters of the way from none right at 2 to all right at 3
    other = AdaptiveProcedure.from_dict(settings | {"seed": 6})
    assert [other.replay([(x, True)]).next_level() for x in shown[:11]] != shown[1:]


def test_state_is_the_log_replayed():
    for settings in (WEIBULL, {"method": "up_down", "levels": [1, 2, 3]}, {"method": "constant", "levels": [1, 2]}):
        made: Any = AdaptiveProcedure.from_dict(settings)
        for correct in (True, False, True, True):
            made.update(made.next_level(), correct)
        again = AdaptiveProcedure.from_dict(made.to_dict()).replay(made.log)
        assert again.next_level() == made.next_level()
        assert again.log == made.log
        assert again.to_dict() == made.to_dict()


def test_adaptive_settings_choose_a_position():
    levels = (0.9, 0.6, 0.3, 0.1)  # noise: less is easier
    stairs = Adaptive(method="up_down", up=1, down=2, start=1.0)
    assert pick_level(stairs, levels, []) == 3
    assert pick_level(stairs, levels, [(0.1, True), (0.1, True)]) == 2
    assert pick_level(stairs, levels, [(0.1, True), (0.1, False)]) == 3
    quest = Adaptive()
    assert 0 <= pick_level(quest, levels, []) <= 3
    all_right = [(levels[pick_level(quest, levels, [(0.1, True)] * n)], True) for n in range(12)]
    assert pick_level(quest, levels, all_right) < pick_level(quest, levels, [(level, False) for level, _ in all_right])


@pytest.mark.parametrize("function", ["weibull", "logistic", "normal"])
def test_level_of_a_share_is_the_inverse(function):
    level = find_level(0.8, -0.3, 2.5, 0.25, 0.04, function=function)
    assert float(psychometric(level, -0.3, 2.5, 0.25, 0.04, function=function)) == pytest.approx(0.8)
    with pytest.raises(InputError, match=r"between 0.25 and 0.96"):
        find_level(0.97, 0, 1, 0.25, 0.04, function=function)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "up_down", "levels": [1]}, "at least two levels"),
        ({"method": "up_down", "levels": [1, 3, 2]}, "in order"),
        ({"method": "up_down", "levels": [1, 2], "start": 2}, "0 to 1"),
        ({"method": "up_down", "levels": [1, 2], "down": 0}, "1 or more"),
        ({"method": "constant", "levels": [1, 2], "n_per_level": 0}, "n_per_level"),
        (WEIBULL | {"scale": "log10"}, "above 0"),
        (WEIBULL | {"slopes": [0.0]}, "slopes above 0"),
        (WEIBULL | {"lapses": []}, "at least one of lapses"),
        ({"method": "quest+", "levels": [1, 2]}, "thresholds"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        AdaptiveProcedure.from_dict(settings)


def test_unknown_methods_parameters_and_levels_are_refused():
    with pytest.raises(UnknownNameError, match="quest"):
        AdaptiveProcedure.from_dict({"method": "quest", "levels": [1, 2]})
    with pytest.raises(UnknownNameError, match="'down'"):
        AdaptiveProcedure.from_dict({"method": "up_down", "levels": [1, 2], "dwn": 3})
    made = AdaptiveProcedure.from_dict({"method": "up_down", "levels": [1, 2]})
    with pytest.raises(InputError, match="one of the levels 1, 2"):
        made.update(1.5, True)
    sure = AdaptiveProcedure.from_dict(
        WEIBULL | {"guesses": [0.0], "lapses": [0.0], "levels": [-90.0, 0.0], "slopes": [8.0]}
    )
    with pytest.raises(InputError, match="lapses above 0"):
        sure.update(-90.0, True)
    assert sure.log == ()
