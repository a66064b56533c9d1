"""Interpretability of units from the command line, of an export of simulated people."""

import json

from tests.experiment_folders import NO_PRACTICE, write_folder


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
