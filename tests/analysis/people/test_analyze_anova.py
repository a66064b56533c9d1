"""Analyses of variance as results: published matrices, tables of answers and of values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder import InputError, analyze_anova
from beholder._core.errors import UnknownNameError
from beholder.analysis import RESULT_KINDS, open_result
from beholder.responses import RecognitionMatrix, write_recognition_matrix
from beholder.statistics import fit_anova, permute_mixed_anova

PUBLISHED = {
    "CORnet-S": "VisionExperiment1_network_vs_humans_datamatrix_cornet_s_public.mat",
    "VGG-19": "VisionExperiment1_network_vs_humans_datamatrix_vgg_19_public.mat",
    "CochResNet50": "AudioExperiment1_network_vs_humans_datamatrix_cochresnet50_public.mat",
}
EFFECTS = {
    "(Intercept)": "(Intercept)",
    "network_or_human": "observer",
    "(Intercept):layer": "stage",
    "network_or_human:layer": "observer:stage",
}
ERRORS = {"Error": "observer", "Error(layer)": "stage"}
VALUES = np.random.default_rng(0).uniform(0.3, 1, (6, 3, 2))


def pick(result: Any, effect: str) -> Any:
    table = result.table
    return table[(table["statistic"] == "F") & (table["effect"] == effect)].iloc[0]


def is_printed(number: float, text: str) -> bool:
    """Whether a number is what was printed, to its last digit."""
    digits = len(re.sub(r"e.*|\.|^0\.0*", "", text))
    return f"{number:.{digits - 1}e}" == f"{float(text):.{digits - 1}e}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_line_of_the_published_tables(shared_data: Path, name: str) -> None:
    found = analyze_anova(shared_data / "human_recognition" / PUBLISHED[name], n_permutations=99)
    text = (shared_data / "human_recognition" / "published_anova.txt").read_text()
    block = text[text.index(f"EXP1 - {name} (Standard) Full ANOVA") :].split("F(observer)")[0]
    seen = 0
    for words in map(str.split, block.splitlines()):
        if words[:1] and words[0] in EFFECTS:
            row = pick(found, EFFECTS[words[0]])
            numbers = [row["sum_sq"], row["df_1"], row["sum_sq"] / row["df_1"], row["estimate"], row["p"], row["p_gg"],
                       row["p_hf"], row["p_lb"]]  # fmt: skip
            numbers += [row["partial_eta_squared"]] if words[-1] != "NaN" else []
        elif words[:1] and words[0] in ERRORS:
            row = pick(found, ERRORS[words[0]])
            numbers = [row["error_sum_sq"], row["df_2"], row["error_sum_sq"] / row["df_2"]]
        else:
            continue
        seen += 1
        assert all(is_printed(number, text) for number, text in zip(numbers, words[1:], strict=False)), words
    assert seen == 6
    assert any("one network" in warning for warning in found.warnings)


def test_a_result_tells_draws_and_opens_again(tmp_path: Path) -> None:
    found = analyze_anova(VALUES, n_permutations=99)
    labels = ["h"] * 6 + ["n"] * 6
    expected = permute_mixed_anova(np.concatenate([VALUES[:, :, 0], VALUES[:, :, 1]]), labels, n_permutations=99)
    assert (pick(found, "observer")["p_permutation"], pick(found, "observer:stage")["p_permutation"]) == expected
    assert np.isnan(pick(found, "stage")["p_permutation"])
    opened = open_result(found.save(tmp_path / "anova.parquet"))
    assert opened.sentences() == found.sentences() and opened.sentences()[0].startswith("observer × stage: F(2, 20) = ")
    assert "Lecoutre" in found.methods() and "permutations" in found.methods()
    (drawing,) = RESULT_KINDS["anova"].draw(opened)
    lines = drawing.figure.axes[0].get_lines()
    assert [line.get_color() for line in lines[:2]] == ["#000000", "#E69F00"]
    np.testing.assert_allclose(np.asarray(lines[0].get_ydata()), VALUES[:, :, 0].mean(axis=0))
    means = found.table[found.table["statistic"] == "mean"]
    assert means["cell"].tolist()[:4] == ["Human, 1", "Human, 2", "Human, 3", "Network, 1"]


def test_paired_and_unequal_groups() -> None:
    paired = analyze_anova(VALUES, paired=True, n_permutations=99)
    assert pick(paired, "observer:stage")["df_2"] == 10 and "as a pair" in paired.methods()
    unequal = analyze_anova((VALUES[:4, :, 0], VALUES[:, :, 1]), n_permutations=0)
    assert pick(unequal, "observer")["df_2"] == 8
    assert np.isnan(pick(unequal, "observer")["p_permutation"]) and "permut" not in unequal.methods()


def test_a_participant_without_a_stage_is_left_out_and_said(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[2, 1, 0] = np.nan
    people = tuple("abcdef")
    path = write_recognition_matrix(
        tmp_path / "m.mat", RecognitionMatrix(values, people, ("natural", "conv1", "conv2"))
    )
    found = analyze_anova(path, n_permutations=0)
    assert pick(found, "observer")["n"] == 10
    assert "m: 1 participant of 6 without a value at every stage left out: c." in found.warnings
    np.testing.assert_allclose(
        pick(found, "stage")["estimate"],
        pick(analyze_anova(np.delete(values, 2, axis=0), n_permutations=0), "stage")["estimate"],
    )


def make_trials() -> Any:
    rng = np.random.default_rng(1)
    rows = [
        {"participant": f"p{who}", "condition": f"c{level}", "group": "ab"[who % 2], "stimulus": f"s{k}",
         "correct": bool(rng.random() < 0.6 + 0.02 * level), "rt": rng.uniform(0.3, 1)}
        for who in range(7) for level in (5, 10, 100) for k in range(8)
    ]  # fmt: skip
    return pd.DataFrame(rows).sample(frac=1, random_state=0, ignore_index=True)


def test_answers_are_averaged_in_each_cell() -> None:
    trials = make_trials()
    cells = trials.groupby(["participant", "condition"])["correct"].mean().unstack()[["c5", "c10", "c100"]]
    found = analyze_anova(trials)
    expected = fit_anova(cells.to_numpy(), within=["condition"])["condition"]
    assert pick(found, "condition")["estimate"] == pytest.approx(expected.F)
    assert found.settings["n_permutations"] == 10_000 and "permutation" not in found.methods().lower()
    assert found.settings["designs"][0]["within"] == [["condition", ["c5", "c10", "c100"]]]
    mixed = analyze_anova(trials, within=["condition"], between=["group"], n_permutations=99)
    assert pick(mixed, "group")["df_2"] == 5 and np.isfinite(pick(mixed, "group:condition")["p_permutation"])
    alone = analyze_anova(trials, value="rt", between=["group"])
    own = trials.groupby(["group", "participant"])["rt"].mean()
    assert pick(alone, "group")["estimate"] == pytest.approx(
        fit_anova(own.to_numpy(), between={"group": [name for name, _ in own.index]})["group"].F
    )
    assert alone.sentences()[0].startswith("group: F(1, 5) = ")


def test_saved_results_draw_the_factors_in_their_order(tmp_path: Path) -> None:
    """Settings are saved with sorted keys, which must not reorder cells."""
    rng = np.random.default_rng(2)
    rows = [
        {"participant": f"p{who}", "zone": zone, "angle": angle, "correct": rng.random()}
        for who in range(4) for zone in ("near", "far") for angle in ("0", "45", "90")
    ]  # fmt: skip
    found = analyze_anova(pd.DataFrame(rows), within=["zone", "angle"])
    opened = open_result(found.save(tmp_path / "anova.parquet"))
    for result in (found, opened):
        (drawing,) = RESULT_KINDS["anova"].draw(result)
        line = next(each for each in drawing.figure.axes[0].get_lines() if each.get_label() == "near")
        expected = pd.DataFrame(rows).query("zone == 'near'").groupby("angle")["correct"].mean()
        np.testing.assert_allclose(np.asarray(line.get_ydata()), expected[["0", "45", "90"]])
    assert opened.methods() == found.methods() and opened.sentences() == found.sentences()


def test_who_has_no_trial_in_a_condition_is_left_out_and_named() -> None:
    trials = make_trials()
    trials = trials[~((trials["participant"] == "p3") & (trials["condition"] == "c10"))]
    found = analyze_anova(trials)
    assert pick(found, "condition")["n"] == 6
    assert "1 participant of 7 without a value in every cell left out (p3; p3 has none in c10)" in found.warnings[0]
    halves = (trials["participant"] + trials["condition"]).isin(["p1c5", "p2c10"])
    with pytest.raises(InputError, match=r"none of 2: 2 participants of 2"):
        analyze_anova(trials[halves])


def test_tables_of_values(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_text("Net,Score\nalex,0.1\nalex,0.4\nvgg,0.3\nvgg,0.9\nvgg,0.8\nres,1\nres,0.5\n")
    found = analyze_anova(path, value="score", between=["network"], columns=["score=Score", "network=net"])
    expected = fit_anova([0.1, 0.4, 0.3, 0.9, 0.8, 1, 0.5], between={"n": ["a", "a", "v", "v", "v", "r", "r"]})["n"]
    assert pick(found, "network")["estimate"] == pytest.approx(expected.F)
    assert pick(found, "network")["method"] == "one-way"
    assert found.settings["designs"][0]["name"] == "units"
    with pytest.raises(UnknownNameError, match="colour"):
        analyze_anova(path, value="Score", between=["colour"])
    with pytest.raises(InputError, match="numbers in the column Net"):
        analyze_anova(path, value="Net", between=["Score"])


def test_bad_input(tmp_path: Path) -> None:
    trials = make_trials()
    trials.loc[0, "group"] = "b" if trials.loc[0, "group"] == "a" else "a"
    with pytest.raises(InputError, match="one level of group for each participant"):
        analyze_anova(trials, between=["group"])
    with pytest.raises(InputError, match="a factor"):
        analyze_anova(trials.drop(columns="condition"))
    with pytest.raises(InputError, match="at least two levels of condition; got only 'c5'"):
        analyze_anova(trials[trials["condition"] == "c5"])
    with pytest.raises(InputError, match="got shape"):
        analyze_anova(np.zeros((3, 2, 3)))
    with pytest.raises(InputError, match="matrices alone"):
        analyze_anova([tmp_path / "a.mat", tmp_path / "b.csv"])
    with pytest.raises(InputError, match="with paired"):
        analyze_anova(trials, paired=True)


def test_cells_in_which_nobody_differs_are_said() -> None:
    values = VALUES.copy()
    values[:, 0, 1] = 1.0
    found = analyze_anova(values, n_permutations=0)
    assert any("Nobody differs in Network, 1" in warning for warning in found.warnings)
