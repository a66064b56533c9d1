"""What is put right in tables of others, and told."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from beholder._core.errors import UnknownNameError
from beholder.responses import read_trials

HEAD = "participant,trial,stimulus,condition,truth,response,rt\n"


def write(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_trial_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    rows = ["a,1,s1,x,cat,cat,0.5", "a,2,s2,x,dog,cat,0.6", "a,2,s2,x,dog,cat,0.6", "a,3,s2,x,dog,cat,0.6"]
    found = read_trials(write(tmp_path / "a.csv", *rows))
    assert found.table["trial"].tolist() == ["1", "2", "3"]
    assert "1 of 4 answers are left out: 1 that stand there twice" in found.sentences[1]
    (tmp_path / "twice").mkdir()
    for name in ("a", "copy of a"):
        write(tmp_path / "twice" / f"{name}.csv", *rows[:2])
    assert len(read_trials(tmp_path / "twice").table) == 2


def test_without_trials_copies_are_told_and_count(tmp_path: Path) -> None:
    head = "participant,stimulus,correct\n"
    found = read_trials(write(tmp_path / "a.csv", "a,s1,1", "a,s1,1", "a,s2,0", head=head))
    assert len(found.table) == 3 and "1 answer stand there a second time" in found.sentences[-1]
    levels = write(tmp_path / "levels.csv", "a,1,1", "a,1,1", head="participant,level,correct\n")
    assert len(read_trials(levels).sentences) == 1


def test_cases_of_letters(tmp_path: Path) -> None:
    found = read_trials(write(tmp_path / "a.csv", "a,1,s1,x,cat,CAT,0.5", "a,2,s2,x,Dog,dog,0.6", "a,3,s3,x,cat,x,1"))
    assert found.table["response"].tolist() == ["cat", "Dog", "x"]
    assert found.table["correct"].tolist() == [True, True, False]
    assert any("2 answers of a.csv differ from labels in the case" in sentence for sentence in found.sentences)
    letters = read_trials(write(tmp_path / "b.csv", "a,1,s1,x,A,a,0.5", "a,2,s2,x,a,a,0.6"))
    assert letters.table["correct"].tolist() == [False, True]


def test_milliseconds(tmp_path: Path) -> None:
    found = read_trials(write(tmp_path / "a.csv", "a,1,s1,x,cat,cat,512", "a,2,s2,x,dog,cat,734", "a,3,s2,x,dog,cat,"))
    assert found.table["rt"].tolist()[:2] == [0.512, 0.734]
    assert any("taken for milliseconds: their median is 623" in sentence for sentence in found.sentences)


@pytest.mark.parametrize("spelled", [["rt=RT:s"], {"rt": "RT:s"}])
def test_the_unit_of_response_times_can_be_told(tmp_path: Path, spelled: list[str] | dict[str, str]) -> None:
    head = HEAD.replace(",rt", ",RT")
    slow = write(tmp_path / "a.csv", "a,1,s1,x,cat,cat,150", "a,2,s2,x,dog,cat,170", head=head)
    found = read_trials(slow, columns=spelled)
    assert found.table["rt"].tolist() == [150, 170] and "milliseconds" not in " ".join(found.sentences)
    told = " ".join(read_trials(slow).sentences)
    assert (
        read_trials(slow).table["rt"].tolist() == [0.15, 0.17]
        and "rt=RT:s or rt=RT:ms among the columns tells the unit" in told
    )
    fast = write(tmp_path / "b.csv", "a,1,s1,x,cat,cat,50", "a,2,s2,x,dog,cat,70", head=head)
    assert read_trials(fast, columns=["rt=RT:ms"]).table["rt"].tolist() == [0.05, 0.07]
    named = write(tmp_path / "c.csv", "a,1,s1,x,cat,cat,5", head=head.replace("RT", "time_ms"))
    assert read_trials(named, columns=["rt=time_ms:s"]).table["rt"].tolist() == [5]
    with pytest.raises(UnknownNameError, match="'time'"):
        read_trials(fast, columns=["rt=time:ms"])


def test_a_minus_that_joins_word_and_number_is_no_sign(tmp_path: Path) -> None:
    head = "participant,stimulus,level,correct\n"

    def read(*levels: str) -> tuple[list[float], str]:
        rows = [f"a,s{k},{level},1" for k, level in enumerate(levels)]
        found = read_trials(write(tmp_path / "a.csv", *rows, head=head))
        return found.table["level"].tolist(), " ".join(found.sentences)

    assert read("level-3", "level-10")[0] == [3, 10] and "read as 3, without a sign" in read("level-3", "level-10")[1]
    assert read("snr-3", "snr+3", "snr0")[0] == [-3, 3, 0] and "read as -3, since" in read("snr-3", "snr+3")[1]
    assert read("-3", "+3", "snr=-6", "1e-2", "c_-1")[0] == [-3, 3, -6, 0.01, -1]
    assert "without a sign" not in read("-3", "c05")[1]


def test_verdicts_of_a_table_with_missing_ones(tmp_path: Path) -> None:
    found = read_trials(write(tmp_path / "a.csv", "a,1.0", "a,0.0", "a,", head="participant,correct\n"))
    assert found.table["correct"].tolist() == [True, False]
    assert "1 that tell neither what is right" in found.sentences[1]


def test_further_columns_are_numbers_where_all_are(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", "a,1,old,20", "b,0,young,", head="participant,correct,Group,age\n")
    table = read_trials(one, further=["group", "age", "participant"]).table
    assert table["group"].tolist() == ["old", "young"]
    assert table["age"].iloc[0] == 20.0 and pd.isna(table["age"].iloc[1])
    other = write(tmp_path / "b.csv", "c,1", head="participant,correct\n")
    assert read_trials(one, other, further=["group"]).table["group"].tolist() == ["old", "young", ""]
    with pytest.raises(UnknownNameError, match=r"a column of a\.csv; got 'grup'; try 'Group'"):
        read_trials(one, further=["grup"])


def test_a_table_in_memory_is_read_as_its_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,1,s1,x,cat,CAT,512", ",2,s2,x,dog,cat,734")
    frame = pd.read_csv(path).rename(columns=str.upper)
    from_file, from_frame = read_trials(path).table, read_trials(frame).table
    pd.testing.assert_frame_equal(from_frame.drop(columns="source"), from_file.drop(columns="source"))


def test_who_is_always_wrong_is_told_so_by_the_file(tmp_path: Path) -> None:
    rows = [f"a,s{k},cat,frog,0" for k in range(12)]
    head = "participant,stimulus,truth,response,correct\n"
    assert not read_trials(write(tmp_path / "a.csv", *rows, head=head)).table["correct"].any()


def test_networks_among_people_are_told_by_their_times(tmp_path: Path) -> None:
    rows = ["a,1,s1,x,cat,cat,0.5", "a,2,s2,x,dog,dog,", "bagnet33,1,s1,x,cat,cat,NaN"]
    told = read_trials(write(tmp_path / "a.csv", *rows)).sentences
    assert any(sentence.startswith("bagnet33 has neither response times nor a rule") for sentence in told)
    assert not any("neither response" in each for each in read_trials(write(tmp_path / "b.csv", *rows[:2])).sentences)
    alone = read_trials(write(tmp_path / "c.csv", rows[2])).sentences
    assert any("No answer has a response time" in each for each in alone)
