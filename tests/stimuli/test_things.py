import re

import pytest

from beholder._core.errors import InputError
from beholder.stimuli import StimulusSet
from beholder.stimuli.sets._things import join_digits

CONCEPTS = ["zebra", "aardvark", "car2"]


@pytest.fixture
def things(tmp_path, fill, monkeypatch):
    names = [f"{concept}/{concept}_{i:02d}{'bs'[i % 2]}.jpg" for concept in CONCEPTS for i in range(1, 15)]
    names.append("aardvark/aardvark_100n.jpg")
    folder = fill(tmp_path / "images", *names)
    monkeypatch.chdir(tmp_path)
    return folder


def write_concepts(path, names=CONCEPTS):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Word\tuniqueID\n" + "".join(f"{name} {i}\t{name}\n" for i, name in enumerate(names)))
    return path


@pytest.mark.parametrize(
    "place",
    ["data/things_concepts.tsv", "data/things_concept.tsv", "images/things_concepts.tsv", "things_concept.tsv"],
)
def test_concepts_come_in_the_files_order_with_twelve_pictures_each(things, tmp_path, place):
    write_concepts(tmp_path / place)
    stimuli = StimulusSet.from_folder(things, things=True)
    assert len(stimuli) == 36
    assert list(dict.fromkeys(stimuli.labels)) == CONCEPTS
    assert stimuli.targets.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert [name[-3:-1] for name in stimuli.ids[12:24]] == [f"{i:02d}" for i in range(1, 13)]
    assert stimuli.selection["things"]["n_before"] == 43


def test_digits_of_the_whole_name_decide_not_the_alphabet(things, tmp_path, fill):
    fill(things, "aardvark/aardvark_1b.jpg", "aardvark/aardvark_11x.jpg")
    write_concepts(tmp_path / "elsewhere.tsv")
    stimuli = StimulusSet.from_folder(things, things=tmp_path / "elsewhere.tsv")
    names = [name for name in stimuli.ids if name.startswith("aardvark")]
    numbers = [int("".join(re.findall(r"\d", name))) for name in names]
    assert numbers == [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert join_digits("car2_03.jpg") == 203


def test_what_is_missing_or_too_many_is_named(things, tmp_path, fill):
    write_concepts(tmp_path / "data" / "things_concepts.tsv", [*CONCEPTS, "yak", "wig"])
    fill(things, "stranger/x_1.jpg")
    with pytest.raises(InputError, match="2 missing: wig, yak; 1 too many: stranger") as caught:
        StimulusSet.from_folder(things, things=True)
    assert "\n" not in str(caught.value)


def test_a_missing_or_wrong_table_is_said(things, tmp_path):
    with pytest.raises(InputError, match=r"things_concepts\.tsv or things_concept\.tsv in \./data"):
        StimulusSet.from_folder(things, things=True)
    with pytest.raises(InputError, match="no file at"):
        StimulusSet.from_folder(things, things="none.tsv")
    (tmp_path / "x.tsv").write_text("Word\tconcept\nzebra\tzebra\n")
    with pytest.raises(InputError, match="column uniqueID"):
        StimulusSet.from_folder(things, things="x.tsv")
    write_concepts(tmp_path / "x.tsv", ["zebra", "zebra"])
    with pytest.raises(InputError, match="'zebra' 2 times"):
        StimulusSet.from_folder(things, things="x.tsv")


def test_names_without_digits_and_empty_concepts_are_refused(things, tmp_path, fill):
    write_concepts(tmp_path / "data" / "things_concepts.tsv")
    fill(things, "zebra/photo.jpg")
    with pytest.raises(InputError, match=r"digits.*zebra/photo\.jpg"):
        StimulusSet.from_folder(things, things=True)
    for file in (things / "zebra").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"none in .*zebra"):
        StimulusSet.from_folder(things, things=True)


def test_behaviour_pictures_come_in_the_rows_order(tmp_path, fill, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    folder = fill(tmp_path / "flat", "zebra.jpg", "aardvark.jpg", "car2.png", "other.jpg")
    write_concepts(tmp_path / "data" / "item_names.tsv")
    stimuli = StimulusSet.from_folder(folder, things_behavior=True)
    assert stimuli.files == ("zebra.jpg", "aardvark.jpg", "car2.png")
    assert stimuli.targets.tolist() == [0, 1, 2]
    assert "1 picture" in caplog.text
    (folder / "zebra.jpg").unlink()
    with pytest.raises(InputError, match="1 missing: zebra"):
        StimulusSet.from_folder(folder, things_behavior=True)
    with pytest.raises(InputError, match="both"):
        StimulusSet.from_folder(folder, things=True, things_behavior=True)
