"""Agreement of observers from the command line."""

import json


def write_answers(path, names, wrong):
    lines = ["who,picture,label,said"]
    for name in names:
        said = ["dog" if k % wrong[name] == 0 else "cat" for k in range(30)]
        lines += [f"{name},{name}_s{k}.png,cat,{each}" for k, each in enumerate(said)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_agreement_prints_and_writes_a_page(beholder, tmp_path):
    wrong = {"p1": 3, "p2": 6, "net": 9}
    people = write_answers(tmp_path / "people.csv", ["p1", "p2"], wrong)
    networks = write_answers(tmp_path / "net.csv", ["net"], wrong)
    columns = ["participant=who", "stimulus=picture", "truth=label", "response=said"]
    argv = ["analyze", "agreement", people, "--networks", networks, "--columns", *columns, "--out", tmp_path / "out"]
    quick = ["--n_draws", "50", "--n_permutations", "50"]
    code, _, err = beholder(*argv, *quick)
    assert code == 2 and "try --id_pattern" in err
    argv += ["--id_pattern", "_(s.*)[.]png"]
    code, out, err = beholder(*argv, *quick, "--json")
    assert code == 0, err
    table = json.loads(out)["agreement"]
    assert {row["model"] for row in table if row["statistic"] == "mean over people"} == {"net"}
    assert "Do net and people fail on the same stimuli?" in (tmp_path / "out" / "report.html").read_text("utf-8")
    code, _, err = beholder(*argv, *quick, "--over", "people")
    assert code == 2 and "over" in err
