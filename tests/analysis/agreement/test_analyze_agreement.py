"""Agreement of observers: tables to results, the published data, bad days."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

import beholder as bh
from beholder import InputError
from beholder.analysis import RESULT_KINDS, analyze_agreement, open_result
from beholder.responses import read_trials

COLUMNS = ["participant=subj", "response=object_response", "truth=category", "stimulus=imagename"]
PATTERN = r"_([^_]+)\.png$"
CLASSES = ("bird", "cat", "dog", "truck")
QUICK: dict[str, Any] = {"n_draws": 60, "n_permutations": 60}


def answer(rng: np.random.Generator, hard: np.ndarray, follow: float) -> list[str]:
    truth = np.arange(len(hard)) % 4
    right = rng.random(len(hard)) < 1 / (1 + np.exp(-(0.8 - follow * hard)))
    other = (truth + rng.choice([1, 2, 3], len(hard), p=[0.7, 0.2, 0.1])) % 4
    return [CLASSES[k] for k in np.where(right, truth, other)]


def write(path: Path, names: dict[str, float], *, conditions: tuple[str, ...] = ("easy", "hard"), n: int = 40,
          seed: int = 0, shift: float = 0.0) -> Path:  # fmt: skip
    """Answers of some observers, who follow the stimuli's difficulty as much as told."""
    rng = np.random.default_rng(seed)
    lines = ["participant,stimulus,condition,truth,response"]
    for k, condition in enumerate(conditions):
        hard = np.random.default_rng(50 + k).normal(shift, 1, n)
        for name, follow in names.items():
            lines += [f"{name},s{i},{condition},{CLASSES[i % 4]},{given}"
                      for i, given in enumerate(answer(rng, hard, follow))]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    people = write(tmp_path / "people.csv", {f"p{k}": 2.0 for k in range(4)})
    return people, write(tmp_path / "nets.csv", {"net-a": 1.5, "net-b": 0.0}, seed=1)


def pick(result: bh.Result, statistic: str, method: str = "error consistency", target: str = "all conditions") -> Any:
    table: Any = result.table
    return table[(table.statistic == statistic) & (table.method == method) & (table.target == target)]


def test_trials_about_units_are_joined_by_unit_and_batch(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    right = {(who, unit, batch): bool(rng.random() < 0.7) for who in "ab" for unit in range(12) for batch in (1, 2)}
    rows = [f"{who},net,conv,net/conv/{unit},natural,{batch},{told}" for (who, unit, batch), told in right.items()]
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["participant,model,layer,unit,mode,batch,correct", *rows[:24], *reversed(rows[24:])]))
    (pair,) = analyze_agreement(path, **QUICK).table.query("statistic == 'pair'").itertuples()
    one, two = ([right[who, unit, batch] for unit in range(12) for batch in (1, 2)] for who in "ab")
    assert pair.n == 24 and pair.estimate == pytest.approx(cohen_kappa_score(one, two))


def test_the_table(tables: tuple[Path, Path]) -> None:
    people, networks = tables
    found = analyze_agreement(people, networks, **QUICK)
    pairs = found.table.query("statistic == 'pair'")
    assert len(pairs) == 2 * 15
    trials = read_trials(people, networks).table
    right = trials.set_index(["condition", "stimulus", "participant"])["correct"].unstack()
    for row in pairs.to_dict("records"):
        one, two = [name for name in (row["model"], row["subject"], row["other"]) if name]
        own = right.loc[row["target"]].astype(bool)
        assert row["estimate"] == pytest.approx(cohen_kappa_score(own[one], own[two]))
        assert row["accuracy"] == pytest.approx(own[one].mean())
        assert row["low_bound"] - 1e-9 <= row["estimate"] <= row["high_bound"] + 1e-9
    for statistic in ("mean over people", "people with one another"):
        for target in ("easy", "hard", "all conditions"):
            assert len(pick(found, statistic, target=target)) == (2 if "mean" in statistic else 1)
    own = pairs[(pairs["model"] == "net-a") & (pairs["subject"] != "")]
    assert pick(found, "mean over people").estimate.iloc[0] == pytest.approx(own.estimate.mean())
    assert len(pick(found, "difference")) == 1
    assert len(pick(found, "less people with one another", "confusion correlation")) == 2
    assert not found.warnings


def test_of_two_people_no_interval_leaves_what_is_possible(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", {"p0": 3.0, "p1": -3.0}, conditions=("easy",))
    network = write(tmp_path / "net.csv", {"net": 3.0}, conditions=("easy",), seed=1)
    found = analyze_agreement(people, network, **QUICK)
    rows = found.table[found.table.statistic.isin(["mean over people", "people with one another"])]
    low, high = rows.low.dropna(), rows.high.dropna()
    assert len(low) and low.min() >= -1 and high.max() <= 1 and (low.min() == -1 or high.max() == 1)
    assert any("2 people: intervals say little" in note for note in found.warnings)


def test_people_who_saw_no_stimulus_alike(tables: tuple[Path, Path], tmp_path: Path) -> None:
    """As in graded designs of as many tasks as people: each sees a stimulus at a level of its own."""
    rows = [line.split(",") for line in tables[0].read_text().splitlines()]
    own = [
        [who, stimulus, f"level={(int(stimulus[1:]) + int(who[1:])) % 4}", *rest]
        for who, stimulus, condition, *rest in rows[1:] if condition == "easy"
    ]  # fmt: skip
    levels = tmp_path / "levels.csv"
    levels.write_text("\n".join(map(",".join, [rows[0], *own])))
    network = tmp_path / "net.csv"
    all_levels = [["net", f"s{k}", f"level={each}", CLASSES[k % 4], CLASSES[0]] for k in range(40) for each in range(4)]
    network.write_text("\n".join(map(",".join, [rows[0], *all_levels])))
    found = analyze_agreement(levels, network, **QUICK)
    (note,) = [each for each in found.warnings if "No two people" in each]
    assert "fewer tasks (n_tasks) than people" in note or "fewer tasks (--n_tasks) than people" in note
    assert any(line.startswith("People with one another: κ is not defined, n = 4") for line in found.sentences())
    assert not any("pair of people" in each for each in analyze_agreement(*tables, **QUICK).warnings)
    shared = tmp_path / "shared.csv"
    shared.write_text(levels.read_text() + "".join(f"\np{k},s9,level=9,bird,bird" for k in (0, 1)))
    few = analyze_agreement(shared, **QUICK)
    assert any("5 of 6 pairs of people answered no stimulus in the same condition" in note for note in few.warnings)


def test_it_is_told_and_drawn(tables: tuple[Path, Path], tmp_path: Path) -> None:
    found = analyze_agreement(*tables, **QUICK)
    told = found.sentences()
    assert "net-a fails on the same stimuli as people more often than by chance: κ = " in told[0]
    assert "net-b does not fail on the same stimuli as people significantly more or less often" in told[1]
    assert any(line.startswith("People with one another: κ = ") for line in told)
    assert any("net-a less net-b: " in line for line in told)
    assert "Geirhos" in found.methods()
    assert "in each of 2 conditions" in found.methods()
    names = [drawing.name for drawing in RESULT_KINDS["agreement"].draw(found)]
    assert names == ["kappas", "conditions", "matrix", "confusions"]
    found.save(tmp_path / "agreement.parquet")
    assert open_result(tmp_path / "agreement.parquet").sentences() == told
    assert found.to_json()["agreement"][0]["statistic"] == "pair"
    page = bh.write_report(tmp_path)
    assert "Do networks and people fail on the same stimuli?" in Path(page).read_text()


def test_networks_are_known_by_their_rule(tables: tuple[Path, Path], tmp_path: Path) -> None:
    people, networks = tables
    lines = networks.read_text().splitlines()
    ruled = tmp_path / "ruled.csv"
    ruled.write_text("\n".join([lines[0] + ",rule", *(line + ",first" for line in lines[1:])]))
    found = analyze_agreement([people, ruled], **QUICK)
    assert found.settings["networks"] == ["net-a", "net-b"]
    assert found.table.equals(analyze_agreement(people, networks, **QUICK).table)


def test_people_alone_and_networks_alone(tables: tuple[Path, Path]) -> None:
    people, networks = tables
    alone = analyze_agreement(people, **QUICK)
    assert alone.settings["networks"] == []
    assert alone.sentences()[0].startswith("People with one another")
    lines = networks.read_text().splitlines()
    networks.write_text("\n".join([lines[0] + ",rule", *(line + ",first" for line in lines[1:])]))
    nets = analyze_agreement(networks, **QUICK)
    assert nets.settings["people"] == []
    assert len(nets.sentences()[0].split(" and net-b: κ = ")) == 2
    assert [drawing.name for drawing in RESULT_KINDS["agreement"].draw(nets)] == ["matrix"]
    nets.plot()


def test_order_of_rows_does_not_matter(tables: tuple[Path, Path], tmp_path: Path) -> None:
    people, networks = tables
    head, *rows = people.read_text().splitlines()
    mixed = tmp_path / "mixed.csv"
    mixed.write_text("\n".join([head, *reversed(rows)]))
    assert analyze_agreement(mixed, networks, **QUICK).table.equals(analyze_agreement(people, networks, **QUICK).table)


def test_all_right_is_said(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", {"p0": 2.0, "p1": 2.0}, shift=-60)
    networks = write(tmp_path / "nets.csv", {"net": 0.0}, shift=-60, seed=1)
    found = analyze_agreement(people, networks, **QUICK)
    assert any("2 of 6 pairs of observers have no error consistency" in line for line in found.warnings)
    assert any(line.startswith("People are right on 100.0 %") for line in found.warnings)
    assert math.isnan(pick(found, "people with one another").estimate.iloc[0])
    assert pick(found, "mean over people").estimate.iloc[0] == 0
    for _ in RESULT_KINDS["agreement"].draw(found):
        pass
    assert found.sentences()


def test_a_network_that_is_always_wrong(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", {"p0": 2.0, "p1": 2.0})
    text = (tmp_path / "people.csv").read_text().splitlines()
    own = [line.split(",")[1:4] for line in text[1:] if line.startswith("p0")]
    rows = [f"net,{','.join(each)},{CLASSES[CLASSES.index(each[2]) - 1]}" for each in own]
    (tmp_path / "net.csv").write_text("\n".join([text[0], *rows]))
    found = analyze_agreement(people, tmp_path / "net.csv", **QUICK)
    assert any("net is wrong on every stimulus in easy" in line for line in found.warnings)
    assert pick(found, "mean over people").estimate.iloc[0] == 0


def test_one_person_missing_conditions_and_repeats(tmp_path: Path) -> None:
    people = write(tmp_path / "people.csv", {"p0": 2.0})
    text = people.read_text()
    people.write_text(text + text.splitlines()[1] + "\n")
    networks = write(tmp_path / "nets.csv", {"net": 1.0}, conditions=("easy",), seed=1, n=44)
    found = analyze_agreement(people, networks, **QUICK)
    told = " ".join(found.warnings)
    assert "1 answer to stimuli that the observer had answered before left out." in told
    assert "4 stimuli that only networks answered left out." in told
    assert "40 stimuli that only people answered left out." in told
    assert "One person alone" in told
    assert found.settings["conditions"] == ["easy"]
    assert not len(pick(found, "people with one another", target="easy"))


def test_of_two_answers_the_first_counts(tables: tuple[Path, Path], tmp_path: Path) -> None:
    people, networks = tables
    text = people.read_text()
    first = text.splitlines()[1]
    other = next(each for each in CLASSES if not first.endswith(each))
    again = tmp_path / "again.csv"
    again.write_text(f"{text}{first.rsplit(',', 1)[0]},{other}\n")
    found = analyze_agreement(again, networks, **QUICK)
    assert found.table.equals(analyze_agreement(people, networks, **QUICK).table)
    assert any("1 answer to stimuli" in line for line in found.warnings)


def test_networks_without_conditions_have_those_of_the_stimuli(tmp_path: Path) -> None:
    for file in (
        write(tmp_path / "people.csv", {"p0": 2.0, "p1": 2.0}), write(tmp_path / "told.csv", {"net": 1.0}, seed=1)
    ):  # fmt: skip
        file.write_text(re.sub(r",s(\d+),(e|h)", r",\2\1,\2", file.read_text()))
    silent = re.sub(",(easy|hard),", ",,", (tmp_path / "told.csv").read_text())
    (tmp_path / "silent.csv").write_text(silent)
    expected = analyze_agreement(tmp_path / "people.csv", tmp_path / "told.csv", **QUICK)
    found = analyze_agreement(tmp_path / "people.csv", tmp_path / "silent.csv", **QUICK)
    assert found.table.equals(expected.table)
    assert "net: no condition told, taken for those in which people saw the stimuli." in found.warnings
    both = write(tmp_path / "both.csv", {"p0": 2.0, "p1": 2.0})
    plain = tmp_path / "plain.csv"
    plain.write_text(re.sub(",(easy|hard),", ",,", write(tmp_path / "net.csv", {"net": 1.0}).read_text()))
    with pytest.raises(InputError, match=r"conditions in networks' tables, .* in several; got none for 's0'"):
        analyze_agreement(both, plain, **QUICK)


def test_bad_input(tables: tuple[Path, Path], tmp_path: Path) -> None:
    people, networks = tables
    other = write(tmp_path / "other.csv", {"net": 1.0}, conditions=("x",))
    with pytest.raises(InputError, match="in the same condition; got none: 's0' in 'easy' of people, 's0' in 'x'"):
        analyze_agreement(people, other)
    strange = tmp_path / "strange.csv"
    strange.write_text(re.sub(r",s(\d)", r",net_s\1", networks.read_text()))
    with pytest.raises(InputError, match=r"both answered; got none: .*id_pattern"):
        analyze_agreement(people, strange)
    with pytest.raises(InputError, match="a person's or a network's; got both for 'p0'"):
        analyze_agreement(people, people)
    with pytest.raises(InputError, match="conditions among easy, hard; got medium"):
        analyze_agreement(people, networks, conditions=["medium"])
    with pytest.raises(InputError, match="width above 0; got 0"):
        analyze_agreement(people, networks, width=0)
    with pytest.raises(bh.BeholderError, match="people"):
        analyze_agreement(people, networks, over="peopel")  # type: ignore[arg-type]
    alone = write(tmp_path / "alone.csv", {"p0": 2.0})
    with pytest.raises(InputError, match="two observers or more; got p0"):
        analyze_agreement(alone)
    two_truths = tmp_path / "two.csv"
    two_truths.write_text(networks.read_text().replace("net-b,s0,easy,bird", "net-b,s0,easy,cat"))
    with pytest.raises(InputError, match="one right answer for each stimulus; got two for 's0'"):
        analyze_agreement(people, two_truths)


@pytest.mark.parametrize(
    ("name", "kappa", "pairs_half"), [("cue-conflict", 0.33, 0.02), ("edge", 0.32, 0.04), ("silhouette", 0.48, 0.03)]
)
def test_published_agreement_of_people(shared_data: Path, name: str, kappa: float, pairs_half: float) -> None:
    """Figure 3 and S-figures of Geirhos et al. 2020: humans vs. humans, ± 1.96 standard errors over pairs."""
    folder = shared_data / "shape_texture" / "human" / name
    if not folder.is_dir():
        pytest.skip("no published answers beside the repository")
    found = analyze_agreement(folder, columns=COLUMNS, id_pattern=PATTERN, n_draws=30, n_permutations=0)
    pairs = found.table.query("statistic == 'pair'").estimate
    assert len(pairs) == 45
    assert round(float(pairs.mean()), 2) == kappa
    assert round(float(1.96 * pairs.std() / math.sqrt(45)), 2) == pairs_half
    assert pick(found, "people with one another", target="0").estimate.iloc[0] == pytest.approx(pairs.mean())


def test_published_people_and_a_network(shared_data: Path) -> None:
    """modelvshuman's ErrorConsistency().analysis(df_network, df_person) for all ten people, then their mean."""
    folder = shared_data / "shape_texture"
    if not folder.is_dir():
        pytest.skip("no published answers beside the repository")
    found = analyze_agreement(
        folder / "human" / "cue-conflict", sorted((folder / "networks").glob("*.csv")), columns=COLUMNS,
        id_pattern=PATTERN, n_draws=30, n_permutations=99,
    )  # fmt: skip
    means = pick(found, "mean over people", target="0").set_index("model")
    assert means.estimate["squeezenet1-1"] == pytest.approx(0.0579563351005427, abs=1e-12)
    assert means.observed["squeezenet1-1"] == pytest.approx(0.34539062499999995, abs=1e-12)
    assert means.p.max() == 0.01


def test_a_network_that_tells_no_condition_answered_in_that_of_people(tmp_path: Path) -> None:
    people = read_trials(write(tmp_path / "people.csv", {"p0": 2.0, "p1": 2.0}, conditions=("easy",)))
    told = read_trials(write(tmp_path / "net.csv", {"net": 1.0}, conditions=("easy",), seed=1)).table
    found = analyze_agreement(people, type(people)(told.drop(columns="condition"), ()), **QUICK)
    same = analyze_agreement(people, type(people)(told, ()), **QUICK)
    assert (
        pick(found, "mean over people", target="easy")["estimate"].tolist()
        == pick(same, "mean over people", target="easy")["estimate"].tolist()
    )
    assert "net: no condition told, taken for that of people, easy." in found.warnings
