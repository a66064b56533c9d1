"""Trial tables of all kinds against pandas on the raw files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from beholder._core.errors import InputError
from beholder.responses import ResponseStore, export_responses, read_trials

from .test_export import fill

PUBLISHED = [
    "participant=subj", "response=object_response", "truth=category", "condition=condition", "stimulus=imagename",
]  # fmt: skip
HEAD = "subj,session,trial,rt,object_response,category,condition,imagename\n"


def write_people(folder: Path) -> Path:
    """Two people, a file each, with columns that differ in case; the second leaves one answer out."""
    folder.mkdir()
    rows = [
        "a,1,1,0.5,cat,cat,c05,0001_s_a_c05_cat_00_cat3-dog1.png\n",
        "a,1,2,0.6,dog,cat,c10,0002_s_a_c10_cat_00_cat4-dog2.png\n",
        "b,1,1,NaN,na,dog,c05,0001_s_b_c05_dog_00_dog1-cat3.png\n",
    ]
    (folder / "a.csv").write_text(HEAD + "".join(rows[:2]), encoding="utf-8")
    head = HEAD.replace("session", "Session").replace("category", "Category").replace("subj", "Subj")
    (folder / "b.csv").write_text(head + rows[2], encoding="utf-8")
    return folder


def test_a_folder_whose_columns_differ_in_case(tmp_path: Path) -> None:
    pattern = r"_00_([^_]+)\.png$"
    found = read_trials(write_people(tmp_path / "human"), columns=[*PUBLISHED, "level=condition"], id_pattern=pattern)
    table = found.table
    assert table["participant"].tolist() == ["a", "a", "b"]
    assert table["stimulus"].tolist() == ["cat3-dog1", "cat4-dog2", "dog1-cat3"]
    assert table["truth"].tolist() == ["cat", "cat", "dog"] and table["correct"].tolist() == [True, False, False]
    assert table["session"].tolist() == ["1", "1", "1"]
    assert table["level"].tolist() == [5.0, 10.0, 5.0]
    assert table["rt"].tolist()[:2] == [0.5, 0.6] and pd.isna(table["rt"].iloc[2])
    assert set(table["source"]) == {"human"}
    assert found.sentences == (
        "3 answers of 2 participants, read from 2 files.",
        "1 answer counted as wrong: no response, or na.",
        "Levels are the numbers in the column condition.",
    )


def test_a_stimulus_that_the_pattern_does_not_fit_is_left_out_and_told(tmp_path: Path) -> None:
    found = read_trials(write_people(tmp_path / "human"), columns=PUBLISHED, id_pattern=r"_(cat\d-dog\d)\.png")
    assert found.table["stimulus"].tolist() == ["cat3-dog1", "cat4-dog2"]
    assert found.sentences[1] == "1 of 3 answers are left out: 1 whose id the pattern does not fit."
    with pytest.raises(InputError, match=r"at least one answer that counts; got 3 answers: 3 whose id"):
        read_trials(tmp_path / "human", columns=PUBLISHED, id_pattern="horse")
    with pytest.raises(InputError, match="a regular expression"):
        read_trials(tmp_path / "human", columns=PUBLISHED, id_pattern="(")


def test_several_folders_keep_their_names_and_one_name_is_one_person(tmp_path: Path) -> None:
    for where in ("one", "two"):
        (tmp_path / where).mkdir()
        write_people(tmp_path / where / "human")
    found = read_trials(
        tmp_path / "one" / "human", tmp_path / "two" / "human", columns=[*PUBLISHED[:3], "condition=source"]
    )
    assert set(found.table["condition"]) == set(found.table["source"]) == {"one/human", "two/human"}
    assert any("2 participants in several sources" in each for each in found.sentences)
    again = read_trials(tmp_path / "one" / "human", tmp_path / "two" / ".." / "one" / "human", columns=PUBLISHED)
    assert len(again.table) == 3


def test_a_column_that_only_some_files_have_is_told(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "human")
    text = (folder / "b.csv").read_text(encoding="utf-8").replace("condition", "noise")
    (folder / "b.csv").write_text(text, encoding="utf-8")
    found = read_trials(folder, columns=PUBLISHED)
    assert found.table["condition"].tolist() == ["c05", "c10", ""]
    assert "The column condition (condition) stands in 1 of 2 files." in found.sentences
    with pytest.raises(InputError, match="try 'condition'"):
        read_trials(folder, columns=[*PUBLISHED[:3], "condition=conditions"])


def test_answers_of_networks_need_neither_the_columns_nor_the_pattern_of_people(tmp_path: Path) -> None:
    text = "participant,stimulus,truth,response,rule\nnet,cat3-dog1,cat,cat,mean\n"
    (tmp_path / "net.csv").write_text(text, encoding="utf-8")
    found = read_trials(tmp_path / "net.csv", columns=PUBLISHED, id_pattern=r"_00_([^_]+)\.png$")
    assert found.table[["participant", "stimulus", "rule"]].to_numpy().tolist() == [["net", "cat3-dog1", "mean"]]
    (tmp_path / "person.csv").write_text(text.replace("rule", "note"), encoding="utf-8")
    with pytest.raises(InputError, match="name of a column of person"):
        read_trials(tmp_path / "person.csv", columns=PUBLISHED)


def test_what_is_no_table_of_answers(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    with pytest.raises(InputError, match="got nothing at"):
        read_trials(table)
    table.write_text("who,what\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"participant, and truth and response or correct; got a.csv with who, what"):
        read_trials(table)
    table.write_text("participant,participant,correct\n", encoding="utf-8")
    with pytest.raises(InputError, match="more than once"):
        read_trials(table)
    table.write_text("participant,correct\n", encoding="utf-8")
    with pytest.raises(InputError, match="a table with at least one answer"):
        read_trials(table)
    table.write_text("participant,correct\na,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="true or false, 1 or 0"):
        read_trials(table)
    table.write_text("participant,truth,response\n" + "a,cat,1_cat\n" * 10, encoding="utf-8")
    with pytest.raises(
        InputError, match=r"spelled as the labels; got responses such as '1_cat' and labels such as 'cat'"
    ):
        read_trials(table)
    table.write_text("participant,truth,response,rt_ms\na,cat,cat,quick\n", encoding="utf-8")
    with pytest.raises(InputError, match="numbers in the column rt"):
        read_trials(table, columns={"rt": "rt_ms"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without any"):
        read_trials(tmp_path / "empty")
    for columns, said in (
        (["participant"], "NAME=COLUMN"),
        (["who=a"], "name of a column"),
        (["rt=a", "rt=b"], "once"),
    ):
        with pytest.raises(InputError, match=said):
            read_trials(table, columns=columns)


def test_rows_that_cannot_be_judged(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("participant,truth,response,correct\na,cat,cat,\na,,cat,\na,,cat,1\n", encoding="utf-8")
    found = read_trials(table)
    assert found.table["correct"].tolist() == [True, True]
    assert "1 of 3 answers are left out: 1 that tell neither" in found.sentences[1]
    assert not any("says otherwise" in each for each in found.sentences)
    table.write_text("participant,truth,response,correct\na,cat,cat,0\na,cat,dog,0\n", encoding="utf-8")
    found = read_trials(table)
    assert found.table["correct"].tolist() == [False, False]
    assert "Of 1 answer the column correct says otherwise than response and truth, and counts." in found.sentences
    (tmp_path / "b.csv").write_text("participant,response,correct\nb,2,\n", encoding="utf-8")
    assert "correct" not in read_trials(tmp_path / "b.csv").table
    with pytest.raises(InputError, match="in every file, or in none"):
        read_trials(table, tmp_path / "b.csv")


def test_an_export_by_folder_by_file_and_by_its_file_of_answers(store: ResponseStore, tmp_path: Path) -> None:
    fill(store)
    out = export_responses(store.path, tmp_path / "out").out
    raw: Any = pd.read_csv(out / "responses.csv")
    main: Any = raw[~raw["catch_trial"]]
    kept = main[~main["excluded"]]
    found = read_trials(out)
    assert found.table["participant"].tolist() == kept["participant"].tolist() and len(kept) == 2
    assert found.table["correct"].tolist() == kept["correct"].tolist()
    assert found.table["response"].tolist() == kept["choice"].tolist()
    assert found.table["truth"].tolist() == kept["correct_answer"].tolist()
    assert found.table["rt"].tolist() == (kept["rt_ms"] / 1000).tolist()
    assert found.table["layer"].tolist() == kept["layer"].tolist()
    n_catch, n_out = int(raw["catch_trial"].sum()), len(main) - len(kept)
    assert f"{n_catch} to catch trials or in practice, {n_out} of participants who were excluded" in found.sentences[1]
    every = read_trials(out / "responses.csv", include_excluded=True)
    assert len(every.table) == len(main) and every.table["correct"].tolist() == main["correct"].tolist()
    files = [out / "responses.parquet", out / "responses.csv", store.path]
    tables = [read_trials(file, columns={"condition": "contrast"}).table.drop(columns="source") for file in files]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
    assert set(tables[0]["condition"]) == {"0.5", "1.0"}


def test_originals_that_stood_in_for_metamers_are_left_out(store: ResponseStore, tmp_path: Path) -> None:
    fill(store)
    out = export_responses(store.path, tmp_path / "out").out
    table: Any = pd.read_csv(out / "responses_included.csv")
    table["replaced"] = [trial == 2 for trial in table["trial"]]
    table.to_csv(tmp_path / "answers.csv", index=False)
    found = read_trials(tmp_path / "answers.csv")
    assert len(found.table) == 1 and "1 to originals that stood in for metamers" in found.sentences[1]


@pytest.mark.parametrize("name", ["cue-conflict", "contrast", "uniform-noise"])
def test_published_trials_as_pandas_counts_them(name: str, shared_data: Path) -> None:
    folder = shared_data / "shape_texture" / "human" / name
    raw = pd.concat([pd.read_csv(file) for file in sorted(folder.glob("*.csv"))], ignore_index=True)
    found = read_trials(folder, columns=PUBLISHED).table
    assert len(found) == len(raw) and list(found["stimulus"]) == list(raw["imagename"])
    right: Any = (raw["object_response"] == raw["category"]).groupby([raw["subj"], raw["condition"].astype(str)]).mean()
    told: Any = found["correct"].groupby([found["participant"], found["condition"].map(_plain)]).mean()
    assert right.to_numpy().tolist() == told.to_numpy().tolist()


def _plain(word: str) -> str:
    """As pandas reads 0.10."""
    try:
        return str(float(word)) if "." in word else word
    except ValueError:
        return word
