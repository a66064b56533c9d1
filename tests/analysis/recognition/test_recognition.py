"""Recognition against pandas, scipy and published values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import scipy.io
from matplotlib.text import Text
from scipy import stats

import beholder as bh
from beholder._core.errors import InputError
from beholder.analysis import RESULT_KINDS, Result, write_result
from beholder.evaluation import Judgement
from beholder.responses import RecognitionMatrix, read_recognition_matrix

PUBLISHED = ["participant=subj", "response=object_response", "truth=category", "stimulus=imagename"]
LABELS = ["cat", "dog", "car"]


def make_answers(names: list[str], seed: int, *, rule: str = "") -> pd.DataFrame:
    """Each name answers eighteen stimuli in two conditions; stimuli differ in their texture, too."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for who in names:
        for condition in ("10", "2"):
            for k in range(18):
                truth, texture = LABELS[k % 3], LABELS[(k // 3) % 3]
                response = str(draw.choice([truth, truth, texture, LABELS[2]]))
                rows.append({
                    "participant": who, "stimulus": f"{truth}{k}-{texture}", "condition": condition, "truth": truth,
                    "response": response, "correct": response == truth, "rule": rule,
                })  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return make_answers(["p1", "p2", "p3"], 1)


@pytest.fixture(scope="module")
def networks() -> pd.DataFrame:
    return make_answers(["net", "wide"], 2, rule="mean")


@pytest.fixture(scope="module")
def found(people: pd.DataFrame, networks: pd.DataFrame) -> Result:
    return bh.analyze_recognition(people, networks, texture_pattern=r"\d-([a-z]+)")


def pick(result: Result, **wanted: Any) -> Any:
    table: Any = result.table
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def test_proportions_of_people_are_means_over_people(found: Result, people: pd.DataFrame) -> None:
    for condition in ("2", "10"):
        proportions = people[people["condition"] == condition].groupby("participant")["correct"].mean()
        (row,) = pick(
            found, statistic="proportion correct", observer="people", condition=condition
        ).to_dict("records")  # fmt: skip
        ends = stats.ttest_1samp(proportions, 0).confidence_interval(0.95)
        assert row["estimate"] == pytest.approx(proportions.mean(), abs=1e-12)
        assert (row["low"], row["high"]) == pytest.approx((max(0, ends.low), min(1, ends.high)), abs=1e-12)
        assert (row["n"], row["n_answers"]) == (3, 54)
        own = pick(found, statistic="proportion correct", observer="person", condition=condition)
        assert own.set_index("subject")["estimate"].to_dict() == pytest.approx(proportions.to_dict(), abs=1e-12)
    order = list(dict.fromkeys(pick(found, statistic="proportion correct")["target"]))
    assert order == ["2", "10", "all"]  # numbers by size


def test_a_network_is_one_observer_over_stimuli_with_its_rule(found: Result, networks: pd.DataFrame) -> None:
    own = networks[(networks["participant"] == "net") & (networks["condition"] == "2")]
    (row,) = pick(found, statistic="proportion correct", model="net", condition="2").to_dict("records")
    interval = stats.binomtest(int(own["correct"].sum()), len(own)).proportion_ci(0.95, method="wilson")
    assert (row["estimate"], row["n"]) == (own["correct"].mean(), 18)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert set(pick(found, model="net")["rule"]) == {"mean"} and found.settings["rules"] == {
        "net": "mean",
        "wide": "mean",
    }
    (everything,) = pick(found, statistic="proportion correct", model="net", target="all").to_dict("records")
    assert (everything["n"], everything["n_answers"]) == (18, 36)  # a stimulus in two conditions is one stimulus
    assert everything["method"] == "bootstrap over stimuli"


def test_a_network_that_answered_stimuli_several_times_is_drawn_by_stimulus(
    people: pd.DataFrame, networks: pd.DataFrame
) -> None:
    twice = pd.concat([networks, networks[networks["participant"] == "net"]])
    found = bh.analyze_recognition(people, twice)
    (row,) = pick(found, statistic="proportion correct", model="net", condition="2").to_dict("records")
    assert (row["n"], row["n_answers"], row["method"]) == (18, 36, "bootstrap over stimuli")


def test_differences_are_matched_by_stimulus_and_person(
    found: Result, people: pd.DataFrame, networks: pd.DataFrame
) -> None:
    net = networks[networks["participant"] == "net"].set_index(["stimulus", "condition"])["correct"]
    joined = people.assign(network=[net[key] for key in zip(people["stimulus"], people["condition"], strict=True)])
    proportions = joined.groupby("participant")[["correct", "network"]].mean()
    (row,) = pick(found, statistic="difference", observer="people", target="all", minus="net").to_dict("records")
    test = stats.ttest_rel(proportions["correct"], proportions["network"])
    ends = test.confidence_interval(0.95)
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx(
        ((proportions["correct"] - proportions["network"]).mean(), ends.low, ends.high), abs=1e-12
    )
    wide = networks[networks["participant"] == "wide"].set_index(["stimulus", "condition"])["correct"].astype(float)
    (row,) = pick(found, statistic="difference", observer="network", target="all").to_dict("records")
    assert (row["model"], row["minus"], row["n"]) == ("net", "wide", 18)
    by_stimulus = (net.astype(float) - wide).groupby("stimulus").mean()
    ends = stats.ttest_1samp(by_stimulus, 0).confidence_interval(0.95)
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx(
        (by_stimulus.mean(), ends.low, ends.high), abs=1e-12
    )
    ten, two = (people[people["condition"] == name].groupby("participant")["correct"].mean() for name in ("10", "2"))
    (row,) = pick(found, statistic="difference", observer="people", minus="2").to_dict("records")
    assert (row["target"], row["estimate"]) == ("10", pytest.approx((ten - two).mean(), abs=1e-12))


def test_the_network_on_each_persons_own_stimuli(people: pd.DataFrame, networks: pd.DataFrame, tmp_path: Path) -> None:
    """Everybody saw other stimuli, somebody none of a condition; rows are shuffled, since nothing joins by position."""
    kept = people[(people.index % 5 != people["participant"].str[1].astype(int)) & ~(
        (people["participant"] == "p2") & (people["condition"] == "10"))].sample(frac=1, random_state=0)  # fmt: skip
    found = bh.analyze_recognition(kept, networks[networks["participant"] == "net"].sample(frac=1, random_state=1))
    net = networks[networks["participant"] == "net"].set_index(["stimulus", "condition"])["correct"]
    values = found.arrays["matched_0"]
    assert found.settings["matched"] == [{"name": "net", "n_people": 3, "stages": ["2", "10"]}]
    for place, condition in enumerate(("2", "10")):
        for who, name in enumerate(("p1", "p2", "p3")):
            own = kept[(kept["participant"] == name) & (kept["condition"] == condition)]
            if not len(own):
                assert np.isnan(values[who, place]).all()
                continue
            expected = [own["correct"].mean(), np.mean([net[stimulus, condition] for stimulus in own["stimulus"]])]
            assert values[who, place] == pytest.approx(expected, abs=1e-12)
    assert any(
        each.startswith("1 participant without answers in some conditions (p2 in 10)") for each in found.warnings
    )
    written = write_result(found, tmp_path, figures=False)
    path = next(each for each in written if each.suffix == ".mat")
    assert path.name == "recognition_net.mat"
    content = scipy.io.loadmat(path)["participant_data_matrix"]
    assert np.array_equal(content, values, equal_nan=True)
    assert read_recognition_matrix(path).stages == ("2", "10")


def test_shape_bias_by_its_definition(found: Result, people: pd.DataFrame, networks: pd.DataFrame) -> None:
    both = pd.concat([people, networks])
    both = both.assign(texture=both["stimulus"].str.extract(r"-([a-z]+)$")[0])
    both = both[both["texture"] != both["truth"]]
    shape, texture = both["response"] == both["truth"], both["response"] == both["texture"]
    counts = both.assign(shape=shape, texture_=texture).groupby("participant")[["shape", "texture_"]].sum()
    bias = counts["shape"] / (counts["shape"] + counts["texture_"])
    rows = pick(found, statistic="shape bias", target="all", truth="")
    people_row = rows[(rows["observer"] == "people") & (rows["method"] == "Student's t over people")].iloc[0]
    assert people_row["estimate"] == pytest.approx(bias[["p1", "p2", "p3"]].mean(), abs=1e-12)
    (net,) = rows[rows["model"] == "net"].to_dict("records")
    assert net["estimate"] == pytest.approx(bias["net"], abs=1e-12)
    proportion = pick(found, statistic="texture choices", model="net", target="all", truth="").iloc[0]
    own = both[both["participant"] == "net"]
    assert proportion["estimate"] == pytest.approx((own["response"] == own["texture"]).mean(), abs=1e-12)
    assert any("one label" in each for each in found.warnings)


def test_confusions_are_those_of_a_cross_table(found: Result, people: pd.DataFrame) -> None:
    expected = pd.crosstab(people["truth"], people["response"]).to_numpy()
    labels = [str(each) for each in found.arrays["confusions_labels"]]
    assert labels == sorted(LABELS)
    assert found.arrays["confusions"][0].sum(axis=0).tolist() == expected.tolist()
    (row,) = pick(found, statistic="confusion", observer="people", truth="dog", response="car", target="all").to_dict(
        "records"
    )
    proportions = (
        people[people["truth"] == "dog"].groupby("participant")["response"].agg(lambda own: (own == "car").mean())
    )
    assert row["estimate"] == pytest.approx(proportions.mean(), abs=1e-12) and row["n"] == 3
    for condition, own in people.groupby("condition"):
        (row,) = pick(
            found, statistic="confusion", observer="people", truth="dog", response="car", target=str(condition)
        ).to_dict("records")
        dogs = own[own["truth"] == "dog"]
        assert row["n_answers"] == (dogs["response"] == "car").sum()
        shares = dogs.groupby("participant")["response"].agg(lambda each: (each == "car").mean())
        assert row["estimate"] == pytest.approx(shares.mean(), abs=1e-12)


def test_what_is_told_and_drawn(found: Result, tmp_path: Path) -> None:
    told = " ".join(found.sentences())
    assert "(n = 3 people); net in " in told and "rule mean" in told and "chance is 33.3 %" in told
    assert "By condition: people from" in told and "36 stimuli as shown in common: 36 of 36 of people" in told
    methods = found.methods()
    assert "highest mean probability" in methods and "Feather" in methods and "Geirhos" in methods
    drawn = {each.name: each for each in RESULT_KINDS["recognition"].draw(found)}
    assert set(drawn) == {
        "curves", "matched_0", "matched_1", "shape_bias", "confusions", "confusions_0", "confusions_1",
    }  # fmt: skip
    again = bh.open(found.save(tmp_path / "recognition.parquet"))
    assert again.sentences() == found.sentences()
    records = found.to_json()["recognition"]
    assert [each["n"] for each in records] == found.table["n"].tolist()
    assert any(each["high"] is None for each in records)


def test_generating_and_judging_networks_and_their_measures(tmp_path: Path) -> None:
    """People fail on the metamers of one network; the other's are recognised."""
    rows: list[dict[str, Any]] = []
    for who, rule in (("p1", ""), ("p2", ""), ("a", "first")):
        for k in range(8):
            for model, layer, good in (("", "original", 8), ("src:a@w", "l1", 4), ("src:a@w", "l10", 2),
                                       ("src:b@w", "l1", 8), ("src:b@w", "l10", 6)):  # fmt: skip
                rows.append({
                    "participant": who, "stimulus": f"s{k}", "model": model, "layer": layer, "rule": rule,
                    "correct": k < good - (who == "p2"),
                })  # fmt: skip
    (tmp_path / "attacked.csv").write_text("model,norm,eps,accuracy_top1\na,l2,3,.1\nb,l2,3,.6\n", encoding="utf-8")
    (tmp_path / "brain.csv").write_text("network,value\na,.2\nb,.3\n", encoding="utf-8")
    found = bh.analyze_recognition(
        pd.DataFrame(rows), attacked=tmp_path / "attacked.csv", brain=tmp_path / "brain.csv", chance=0.25
    )
    proportions = pick(found, statistic="recognised").set_index(["generator", "observer"])["estimate"].to_dict()
    assert proportions == pytest.approx({
        ("src:a@w", "people"): (6 / 16 + 4 / 16) / 2, ("src:a@w", "network"): 6 / 16,
        ("src:b@w", "people"): (14 / 16 + 12 / 16) / 2, ("src:b@w", "network"): 14 / 16,
    })  # fmt: skip
    (row,) = pick(found, statistic="recognition and attacked accuracy").to_dict("records")
    assert row["n"] == 2 and row["estimate"] == pytest.approx(1) and np.isnan(row["low"])
    assert {"generators", "attacked", "brain", "curves"} <= {e.name for e in RESULT_KINDS["recognition"].draw(found)}
    assert [each["name"] for each in found.settings["matched"]] == ["a on src:a@w", "a on src:b@w"]
    assert found.settings["matched"][0]["stages"] == ["original", "l1", "l10"]
    with pytest.raises(InputError, match="stimuli that were made for networks"):
        bh.analyze_recognition(make_answers(["p1", "p2"], 0), attacked=tmp_path / "attacked.csv")


def test_judges_of_metamers_are_networks_that_answered() -> None:
    """Verdicts by category count where people can give them; originals stand once, whichever network's they are."""
    rows: list[dict[str, Any]] = []
    for model in ("src:a@w", "src:b@w"):
        for layer in ("", "l1"):
            for k in range(4):
                for decision, right in (("category", k > 0), ("class", False)):
                    rows.append({
                        "model": model, "judge": "src:a@w", "decision": decision, "layer": layer,
                        "stimulus_id": f"s{k}", "seed": 0, "verdict": "cat" if right else "dog", "reference": "cat",
                        "against": "label", "correct": right, "sha256": "", "passed": None, "main": True,
                        "rule": "first" if decision == "category" else "",
                    })  # fmt: skip
    judgement = Judgement(pd.DataFrame(rows), {"src:a@w": ("l1",), "src:b@w": ("l1",)})
    people = pd.DataFrame([
        {"participant": who, "stimulus": f"s{k}", "model": model, "layer": layer, "correct": k > 1}
        for who in ("p1", "p2") for k in range(4)
        for model, layer in (("", "original"), ("src:a@w", "l1"), ("src:b@w", "l1"))
    ])  # fmt: skip
    found = bh.analyze_recognition(people, judgement)
    rows_found = pick(found, statistic="proportion correct", observer="network")
    assert rows_found["n_answers"].tolist() == [4, 4, 4, 12]
    assert rows_found["estimate"].tolist() == [0.75] * 4 and set(rows_found["rule"]) == {"first"}
    assert rows_found["generator"].tolist() == ["", "src:a@w", "src:b@w", ""]
    assert "12 verdicts of 1 judge of metamers; 16 by another decision than category" in " ".join(found.sentences())
    (told,) = found.settings["matched"]
    assert told == {"name": "src:a@w", "n_people": 2, "stages": ["original", "l1"]}  # its own, in the published form
    shown = list(RESULT_KINDS["recognition"].draw(found))
    words = [str(cast(Text, text).get_text()) for each in shown for text in each.figure.findobj(Text)]
    said = [*found.sentences(), found.methods(), *(each.alt + each.explanation for each in shown), *words]
    assert not any("src:" in text or "@w" in text for text in said)  # short where people read
    assert any("Made for b" in text for text in words) and any("; a in 75.0 %" in text for text in said)
    assert found.arrays["matched_0"].tolist() == [[[0.5, 0.75]] * 2] * 2


def test_matrices_in_the_published_form(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0.2, 0.9, (5, 3, 2))
    values[2, 1, 0] = np.nan
    matrix = RecognitionMatrix(values, tuple("abcde"), ("natural_image", "l1", "l2"), name="net")
    found = bh.analyze_recognition(matrix)
    (row,) = pick(found, statistic="proportion correct", observer="people", layer="l1").to_dict("records")
    assert (row["n"], row["estimate"]) == (4, pytest.approx(np.nanmean(values[:, 1, 0])))
    (row,) = pick(found, statistic="difference", layer="l2").to_dict("records")
    ends = stats.ttest_rel(values[:, 2, 0], values[:, 2, 1]).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), abs=1e-12)
    assert any("1 participant lacks a stage" in each for each in found.warnings)
    assert any("one network" in each for each in found.warnings)
    assert {each.name for each in RESULT_KINDS["recognition"].draw(found)} == {"curves", "matched_0"}
    with pytest.raises(InputError, match=r"3 (--)?stages of net"):
        bh.analyze_recognition(matrix, stages=["natural"])
    with pytest.raises(InputError, match="matrices alone"):
        bh.analyze_recognition(matrix, make_answers(["net"], 0))


def test_recognition_of_matrices_and_attacked_accuracy_leave_natural_stimuli_out(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(0.1, 0.9, (4, 5, 3, 2))
    attacked = {"w": 0.1, "x": 0.5, "y": 0.2, "z": 0.4}
    matrices = [
        RecognitionMatrix(own, tuple("abcde"), ("natural_image", "l1", "l2"), name=name)
        for own, name in zip(values, attacked, strict=True)
    ]
    lines = [f"{name},linf,0.01,{proportion}\n" for name, proportion in attacked.items()]
    (tmp_path / "attacked.csv").write_text("model,norm,eps,accuracy_top1\n" + "".join(lines), encoding="utf-8")
    found = bh.analyze_recognition(matrices, attacked=tmp_path / "attacked.csv")
    (row,) = pick(found, statistic="recognition and attacked accuracy").to_dict("records")
    r = stats.pearsonr(values[:, :, 1:, 0].mean(axis=(1, 2)), list(attacked.values()))
    ends = r.confidence_interval(0.95)
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx((r.statistic, ends.low, ends.high), abs=1e-12)
    with pytest.raises(InputError, match="attacked accuracy of w, x, y, z; got that of q in"):
        (tmp_path / "others.csv").write_text("model,norm,eps,accuracy_top1\nq,linf,0.01,0.5\n", encoding="utf-8")
        bh.analyze_recognition(matrices, attacked=tmp_path / "others.csv")


def test_two_columns_are_a_panel_for_each_value_of_the_first(people: pd.DataFrame) -> None:
    found = bh.analyze_recognition(people.assign(level=people["stimulus"].str[0].map({"c": 1.0, "d": 0.5})))
    assert found.settings["by"] == ["condition", "level"]
    figure: Any = next(iter(RESULT_KINDS["recognition"].draw(found))).figure
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["2", "10"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0.5", "1"]
    assert any(each.startswith("10: people from") and "% at 0.5 to" in each.replace("] at", "% at") for each in
               found.sentences())  # fmt: skip


def test_what_people_were_not_shown_does_not_count(people: pd.DataFrame, networks: pd.DataFrame) -> None:
    seen = people[people["stimulus"].str.startswith("cat")]
    found = bh.analyze_recognition(seen, networks)
    (row,) = pick(found, statistic="proportion correct", model="net", condition="2").to_dict("records")
    own = networks[(networks["participant"] == "net") & (networks["condition"] == "2")]
    own = own[own["stimulus"].str.startswith("cat")]
    assert (row["estimate"], row["n"]) == (own["correct"].mean(), 6)
    assert "12 stimuli as shown in common: 12 of 12 of people, 12 of 36 of each network." in found.sentences()


def test_tables_of_networks_that_tell_more_and_less(people: pd.DataFrame, networks: pd.DataFrame) -> None:
    """One tells conditions, the other none, since its stimuli were shown in one; a third answered other stimuli."""
    seen = people[people["condition"] == "2"]
    net, wide = (
        networks[(networks["participant"] == name) & (networks["condition"] == "2")] for name in ("net", "wide")
    )
    other = net.assign(participant="other", stimulus="x" + net["stimulus"])
    found = bh.analyze_recognition(seen, pd.concat([net, wide.drop(columns="condition"), other]))
    rows = pick(found, statistic="proportion correct", observer="network").set_index("model")
    assert rows["estimate"].to_dict() == {"net": net["correct"].mean(), "wide": wide["correct"].mean()}
    assert any("other answered no stimulus that people were shown" in each for each in found.warnings)
    assert found.settings["networks"] == ["net", "wide"]
    (row,) = pick(found, statistic="difference", observer="people", minus="wide").to_dict("records")
    own = seen.merge(wide[["stimulus", "correct"]], on="stimulus", suffixes=("", "_net"))
    means = own.groupby("participant")[["correct", "correct_net"]].mean()
    assert row["estimate"] == pytest.approx((means["correct"] - means["correct_net"]).mean(), abs=1e-12)
    (row,) = pick(found, statistic="difference", observer="network").to_dict("records")
    assert (row["model"], row["minus"], row["n"]) == ("net", "wide", 18)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chance": 1.5}, "between 0 and 1"),
        ({"by": ["colour"]}, "column of the table; got 'colour'"),
        ({"stages": ["3"]}, "name of a condition of the answers"),
        ({"rule": "median"}, "name of a rule"),
        ({"texture_pattern": "x(y)"}, "which fits none, such as"),
    ],
)
def test_what_cannot_be_asked(people: pd.DataFrame, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bh.analyze_recognition(people, **options)


def test_answers_that_do_not_go_together(people: pd.DataFrame, networks: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"both answered; got none: 'cat0-cat' and 'x_cat0-cat'.*id_pattern"):
        bh.analyze_recognition(people, networks.assign(stimulus="x_" + networks["stimulus"]))
    with pytest.raises(InputError, match=r"shown alike.*the same condition in both"):
        bh.analyze_recognition(people, networks.assign(condition="c" + networks["condition"]))
    with pytest.raises(InputError, match="a person's or a network's; got both for 'p1'"):
        bh.analyze_recognition(people, networks.assign(participant="p1"))
    with pytest.raises(InputError, match="networks' answers by condition; got those of net without condition"):
        bh.analyze_recognition(people, networks.drop(columns="condition").drop_duplicates(["participant", "stimulus"]))
    with pytest.raises(InputError, match="right or wrong"):
        bh.analyze_recognition(people.drop(columns=["correct", "truth"]))
    told = bh.analyze_recognition(people, networks.drop(columns="rule"))
    assert any("By which rule the answers of net, wide follow" in each for each in told.warnings)
    with pytest.raises(InputError, match="the rule that the table of net tells: mean"):
        bh.analyze_recognition(people, networks, rule="sum")
    assert bh.analyze_recognition(people, networks.drop(columns="rule"), rule="sum").settings["rules"]["net"] == "sum"


def test_nothing_is_drawn_of_nothing(people: pd.DataFrame) -> None:
    """Nobody goes by either cue; one person alone; no labels."""
    odd = people.assign(response="bus", correct=False)
    found = bh.analyze_recognition(odd, texture_pattern=r"\d-([a-z]+)")
    assert not len(pick(found, statistic="shape bias"))
    assert any("Shape bias of p1 is not defined" in each for each in found.warnings)
    assert {each.name for each in RESULT_KINDS["recognition"].draw(found)} == {
        "curves", "confusions", "confusions_0", "confusions_1",
    }  # fmt: skip
    assert any(each.startswith("People do not differ in 2 and 2 more conditions") for each in found.warnings)
    alone = bh.analyze_recognition(
        people[people["participant"] == "p1"][["participant", "stimulus", "correct"]]
    )  # fmt: skip
    (row,) = pick(alone, statistic="proportion correct", observer="people").to_dict("records")
    assert row["method"] == "bootstrap over stimuli" and row["n"] == 18  # shown twice each, conditions untold
    assert [each.name for each in RESULT_KINDS["recognition"].draw(alone)] == ["curves"]
    assert alone.settings["chance"] is None


def test_published_cue_conflict(shared_data: Path) -> None:
    """Shape and texture choices as pandas counts them; people's proportion of shape is the published 95.9 %."""
    data = shared_data / "shape_texture"
    found = bh.analyze_recognition(
        data / "human" / "cue-conflict", data / "networks", columns=PUBLISHED, id_pattern=r"_00_([^_]+)\.png$",
        texture_pattern=r"\d-([a-z]+)", rule="first",
    )  # fmt: skip
    raw = pd.concat([pd.read_csv(file) for file in sorted((data / "networks").glob("*.csv"))])
    raw = raw.assign(texture=raw["imagename"].str.extract(r"-([a-z]+)\d+\.png$")[0])
    raw = raw[raw["texture"] != raw["category"]]
    for network, expected in (("squeezenet1-1", (133, 597)), ("squeezenet1-1-train-60-epochs-lr0.001", (467, 124))):
        own = raw[raw["subj"] == network]
        counts = tuple(int((own["object_response"] == own[name]).sum()) for name in ("category", "texture"))
        assert counts == expected
        (row,) = pick(found, statistic="shape bias", target="all", truth="", model=network).to_dict("records")
        assert row["estimate"] == pytest.approx(counts[0] / sum(counts), abs=1e-12)
    pooled = pick(found, statistic="shape bias", target="all", method="all answers together")
    assert round(100 * pooled["estimate"].iloc[0], 1) == 95.9
    assert found.arrays["matched_0"].shape == (10, 1, 2)


def test_published_matrices(shared_data: Path) -> None:
    (path,) = (shared_data / "human_recognition").glob("*vgg_19*.mat")
    found = bh.analyze_recognition([path])
    raw = scipy.io.loadmat(path)["participant_data_matrix"]
    rows = pick(found, statistic="proportion correct", observer="people")
    assert rows["layer"].tolist()[:2] == ["natural_image", "conv_relu_0_1_fake_relu"]
    assert rows["estimate"].tolist() == pytest.approx(raw[:, :, 0].mean(axis=0).tolist(), abs=1e-12)
    assert set(rows["generator"]) == {"vgg_19"}
