"""Interpretability of units from the command line, of an export of simulated people."""

import json

from tests.experiment_folders import NO_PRACTICE, write_folder

from beholder.experiments import LapseObserver, Observer, simulate_participants
from beholder.responses import read_export


def test_an_export_goes_to_a_page(beholder, tmp_path):
    write_folder(tmp_path / "built", "2afc", n_trials=6, n_catch=0, changes=NO_PRACTICE)
    db, out = tmp_path / "answers.sqlite", tmp_path / "answers"
    simulate = ["tasks", "simulate", tmp_path / "built", "--db", db, "--participants", "3"]
    code, _, err = beholder(*simulate, "--temperature", "0.1")
    assert code == 2 and "--observer model with --temperature" in err
    assert beholder(*simulate, "--observer", "lapse:0.3")[0] == 0
    assert beholder("tasks", "export", "--db", db, "--out", out)[0] == 0
    argv = ["analyze", "interpretability", out, "--out", tmp_path / "analysis", "--include_excluded"]
    code, printed, err = beholder(*argv, "--machine", out, "--n_draws", "50", "--json")
    assert code == 0, err
    rows = json.loads(printed)["interpretability"]
    assert {row["statistic"] for row in rows} >= {
        "unit",
        "mean of units",
        "mean of units at confidence",
        "participants",
    }
    assert sum(row["n"] for row in rows if row["statistic"] == "unit") == 18
    kappa = next(row for row in rows if row["statistic"] == "error consistency with machine")
    assert kappa["n_people"] == 3  # trials are known by their exemplars
    assert "How well do people know what drives" in (tmp_path / "analysis" / "report.html").read_text("utf-8")


class Graded(Observer):
    @property
    def measures(self):
        return {"temperature": 0.25}

    @property
    def names(self):
        return {"network": "lab:net@v1", "network_layer": "conv3"}

    def answer(self, observation, rng):
        return observation.respond(observation.answers[int(rng.random() < 0.3)], 0.5)


def test_the_temperature_of_a_machine_goes_from_its_choices_to_the_methods(beholder, tmp_path):
    write_folder(tmp_path / "built", "2afc", n_trials=6, n_catch=0, changes=NO_PRACTICE)
    out = {}
    for name, observer in (("people", "lapse:0.3"), ("machine", LapseObserver(0.5, Graded()))):
        db, out[name] = tmp_path / f"{name}.sqlite", tmp_path / name
        simulate_participants(tmp_path / "built", db, 2, observer)
        assert beholder("tasks", "export", "--db", db, "--out", out[name])[0] == 0
    assert "temperature" not in read_export(out["people"]).participants
    assert read_export(out["machine"]).participants["temperature"].tolist() == [0.25, 0.25]
    described = json.loads((out["machine"] / "columns.json").read_text("utf-8"))["participants"]
    assert [each["name"] for each in described[-3:]] == ["temperature", "network", "network_layer"]
    people = read_export(out["machine"]).participants
    assert people[["network", "network_layer"]].to_numpy().tolist() == [["lab:net@v1", "conv3"]] * 2
    assert not {"network", "network_layer"} & set(read_export(out["people"]).participants)
    argv = ["analyze", "interpretability", out["people"], "--out", tmp_path / "analysis", "--include_excluded"]
    code, printed, err = beholder(*argv, "--machine", out["machine"], "--n_draws", "50")
    assert code == 0, err
    assert "the machine (lab:net@v1, conv3; temperature 0.25) is right" in printed
    page = (tmp_path / "analysis" / "report.html").read_text("utf-8")
    assert "either alternative (temperature 0.25)" in page and "observer (lab:net@v1, conv3) answered" in page
