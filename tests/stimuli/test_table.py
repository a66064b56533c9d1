import numpy as np
import pandas as pd
import pytest

from beholder._core.errors import InputError, StimulusError
from beholder.stimuli import StimulusSet


@pytest.fixture
def pictures(tmp_path, fill):
    return fill(tmp_path / "in", "img/a.png", "img/b.jpg", "c.png")


def test_further_columns_are_conditions_with_their_types(pictures):
    (pictures / "t.csv").write_text(
        "Image,contrast,n,masked,code,note\nimg/b.jpg,0.5,1,True,007,\nc.png,,2,False,010,x\nimg/a.png,1e-3,3,True,1,NA\n"
    )
    stimuli = StimulusSet.from_table(pictures / "t.csv")
    assert stimuli.files == ("img/b.jpg", "c.png", "img/a.png")
    assert stimuli.ids == ("b", "c", "a")
    assert stimuli.conditions == {
        "contrast": [0.5, None, 0.001],
        "n": [1, 2, 3],
        "masked": [True, False, True],
        "code": ["007", "010", "1"],
        "note": [None, "x", "NA"],
    }
    assert stimuli.targets.tolist() == [0, 1, 2]
    assert stimuli[[2]].conditions["n"] == [3]
    assert stimuli.path(2) == pictures / "img" / "a.png"
    assert list(stimuli.to_pandas()["contrast"].fillna(-1)) == [0.5, -1, 0.001]


@pytest.mark.parametrize("column", ["file", "path", "image", "filename", "stimulus_file", "FILE"])
def test_spellings_of_the_file_column(pictures, column):
    (pictures / "t.csv").write_text(f"n,{column}\n1,c.png\n")
    stimuli = StimulusSet.from_table(pictures / "t.csv")
    assert list(stimuli) == ["c"]
    assert stimuli.conditions == {"n": [1]}


def test_ids_labels_and_targets_are_taken(pictures):
    (pictures / "t.tsv").write_text("file\tid\tclass\nc.png\t003\tdog\nimg/a.png\tx\tcat\nimg/b.jpg\ty\tdog\n")
    stimuli = StimulusSet.from_table(pictures / "t.tsv")
    assert stimuli.ids == ("003", "x", "y")
    assert stimuli.labels == ("dog", "cat", "dog")
    assert stimuli.targets.tolist() == [1, 0, 1]
    (pictures / "t.csv").write_text("file,target,label\nc.png,7,dog\nimg/a.png,3,cat\n")
    stimuli = StimulusSet.from_table(pictures / "t.csv")
    assert stimuli.targets.tolist() == [7, 3]
    assert stimuli.labels == ("dog", "cat")
    assert not stimuli.conditions


def test_parquet_gives_the_same_set_as_csv(pictures):
    columns = {"file": ["c.png", "img/a.png"], "contrast": [0.25, np.nan], "n": [1, 2], "target": [4, 5]}
    frame = pd.DataFrame({**columns, "empty": [np.nan] * 2})
    frame.to_parquet(pictures / "t.parquet")
    frame.to_csv(pictures / "t.csv", index=False)
    one, other = (StimulusSet.from_table(pictures / name) for name in ("t.parquet", "t.csv"))
    assert one.conditions == other.conditions == {"contrast": [0.25, None], "n": [1, 2], "empty": [None, None]}
    assert one.targets.tolist() == other.targets.tolist() == [4, 5]


def test_files_outside_the_tables_folder_are_absolute(pictures, tmp_path):
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "t.csv"
    table.write_text(f"file\n../in/c.png\n{pictures / 'img' / 'a.png'}\n")
    stimuli = StimulusSet.from_table(table)
    assert stimuli.path(0) == pictures / "c.png"
    assert stimuli.path(1) == pictures / "img" / "a.png"
    assert stimuli.ids == ("c", "a")


def test_backslashes_and_byte_order_marks_are_read(pictures):
    (pictures / "t.csv").write_bytes("\ufefffile\nimg\\a.png\n".encode())
    assert StimulusSet.from_table(pictures / "t.csv").files == ("img/a.png",)


def test_missing_files_are_named_or_skipped(pictures):
    (pictures / "t.csv").write_text("file,n\nimg/a.png,1\nnone.png,2\nc.png,3\n")
    with pytest.raises(StimulusError, match=r"1 missing: 'none\.png'"):
        StimulusSet.from_table(pictures / "t.csv")
    stimuli = StimulusSet.from_table(pictures / "t.csv", skip_bad=True)
    assert list(stimuli) == ["a", "c"]
    assert stimuli.conditions["n"] == [1, 3]
    assert stimuli.selection["skipped"] == [{"file": "none.png", "reason": "no such file"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,n\nc.png,1\n", "a column named file"),
        ("file\n", "at least one row"),
        ("file\nt.csv\n", "image or sound files"),
        ("file\nc.png\nt.csv\n", "1 other"),
        ("file,target\nc.png,x\n", "integers in the column target"),
        ("file,target\nc.png,1.5\n", "integers in the column target"),
        ("file,id\nc.png,x\nimg/a.png,x\n", "ids that differ"),
        ("file,id\nc.png,x/y\n", "hold no '/'"),
        ("file\nc.png\nc.png\n", "both with the id 'c'"),
        ("file,File\nc.png,1\n", "columns with different names"),
        ('file\n"c.png\n', "does not parse"),
    ],
)
def test_tables_that_cannot_be_used(pictures, text, message):
    (pictures / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        StimulusSet.from_table(pictures / "t.csv")
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(InputError, match="no file at"):
        StimulusSet.from_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"\.csv, \.tsv"):
        StimulusSet.from_table(tmp_path / "x.xlsx")
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="does not parse"):
        StimulusSet.from_table(tmp_path / "x.parquet")
