"""Pictures joined with published trials: by which name, and what must not join."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder.analysis.battery._pictures import join_pictures
from beholder.analysis.battery._published import read_people
from beholder.responses import Trials, read_trials
from beholder.stimuli import StimulusSet, read_stimuli

HEAD = "subj,Session,trial,rt,object_response,category,condition,imagename"


def open_people(folder: Path, id_pattern: str | None = None) -> Trials:
    return read_people(lambda columns: read_trials(folder, columns=columns, id_pattern=id_pattern))


def write_pictures(folder: Path, names: list[str]) -> StimulusSet:
    for k, name in enumerate(names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 20 * k, np.uint8)).save(path)
    return read_stimuli(folder)


def write_trials(folder: Path, rows: dict[str, list[str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for who, own in rows.items():
        (folder / f"set_{who}_session_1.csv").write_text("\n".join([HEAD, *(f"{who},1,{row}" for row in own)]))
    return folder


def make_graded(tmp_path: Path) -> tuple[StimulusSet, Trials]:
    """Two pictures at three levels; people saw other ones, each in an order of their own."""
    names = [f"{k:04d}_cop_dnn_c{level}_{name}_10_n0{k % 2}_7" for k, (name, level) in enumerate(
        (name, level) for level in ("05", "30", "100") for name in ("bear", "dog")
    )]  # fmt: skip
    write_pictures(tmp_path / "pictures" / "session-1", names)

    def split(names: list[str]) -> list[list[str]]:
        return [name.split("_")[3:] for name in names]

    rows = {
        who: [
            f"{k},0.5,{answer},{parts[1]},{parts[0]},{k:04d}_cop_{who}1_{'_'.join(parts)}.png"
            for k, (parts, answer) in enumerate(
                zip(split(order), ("bear", "na", "dog", "dog", "bear", "dog"), strict=True)
            )
        ]
        for who, order in {"a": names, "b": names[::-1]}.items()
    }
    rows["a"].append("9,0.5,dog,dog,c50,0009_cop_a1_c50_dog_10_n05_7.png")
    return read_stimuli(tmp_path / "pictures"), open_people(write_trials(tmp_path / "trials", rows))


def test_pictures_as_shown_join_whatever_number_and_person_their_names_begin_with(tmp_path: Path) -> None:
    pictures, people = make_graded(tmp_path)
    found = join_pictures(pictures, people)
    assert found.stimuli.ids == pictures.ids
    assert found.stimuli.conditions["level"] == [5, 5, 30, 30, 100, 100]
    assert found.stimuli.labels == ("bear", "dog") * 3 and found.stimuli.targets.tolist() == [0, 1] * 3
    table: Any = found.people.table
    assert len(table) == 12 and set(table["stimulus"]) == set(found.stimuli.ids)
    assert "6 of 7 pictures" in found.sentences[0] and "12 of 13 answers" in found.sentences[0]
    assert all(f"{row.condition}_{row.truth}" in row.stimulus for row in table.itertuples())


def test_one_name_in_several_conditions_is_refused(tmp_path: Path) -> None:
    _, people = make_graded(tmp_path)
    plain = write_pictures(tmp_path / "plain", ["n00_7", "n01_7"])
    with pytest.raises(InputError, match="several of 'n00_7'"):
        join_pictures(plain, people)


def make_plain(tmp_path: Path, code: str = "s5n", names: tuple[str, ...] = ("bear1-dog2", "dog3-bear1")) -> Trials:
    rows = [
        f"{k},0.5,bear,{name[:4].strip('123-')},0,{k:04d}_{code}_s01_0_x_00_{name}.png" for k, name in enumerate(names)
    ]
    return open_people(write_trials(tmp_path / "people", {"s1": rows, "s2": rows}))


def test_ids_with_prefixes_join_their_own_names_and_tell_two_cues(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "p", ["bear/bear1-dog2", "dog/dog3-bear1", "dog/dog9-bear2"])
    found = join_pictures(pictures, make_plain(tmp_path))
    assert found.stimuli.ids == ("bear1-dog2", "dog3-bear1")
    assert found.stimuli.conditions["texture"] == ["dog", "bear"]
    assert dict(zip(found.people.table["stimulus"], found.people.table["texture"], strict=True)) == {
        "bear1-dog2": "dog", "dog3-bear1": "bear",
    }  # fmt: skip
    assert "1 of 3 pictures were not shown" in found.sentences[1]
    assert found.notes == ("The pictures are other files than the published ones.",)


def test_people_of_several_sources_who_name_pictures_differently(tmp_path: Path) -> None:
    """Published people, and new ones whose trials tell no condition."""
    published = make_plain(tmp_path)
    new: Any = published.table[["participant", "truth", "response", "correct"]].assign(
        participant="new", stimulus=["bear1-dog2", "dog3-bear1"] * 2, condition=""
    )
    both = Trials(pd.concat([published.table, new.iloc[:2]]), ())
    pictures = write_pictures(tmp_path / "p", ["bear/bear1-dog2", "dog/dog3-bear1"])
    table: Any = join_pictures(pictures, both).people.table
    assert table["stimulus"].tolist() == ["bear1-dog2", "dog3-bear1"] * 3 and set(table["condition"]) == {"0"}
    new["truth"] = "dog"
    with pytest.raises(InputError, match="several of 'bear1-dog2'"):
        join_pictures(pictures, Trials(pd.concat([published.table, new.iloc[:2]]), ()))


def test_own_and_published_answers_to_the_same_graded_pictures(tmp_path: Path) -> None:
    """An experiment of one's own on published pictures has no conditions; their names tell them."""
    stimuli, people = make_graded(tmp_path)
    own = pd.DataFrame([
        {"participant": "new", "stimulus": each, "condition": "natural", "truth": each.split("_")[4], "response": "dog"}
        for each in stimuli.ids
    ])  # fmt: skip
    own["correct"] = own["truth"] == own["response"]
    library: Any = pd
    both = Trials(library.concat([people.table, own], ignore_index=True), ())
    for trials, n in ((both, 3), (Trials(own, ()), 1)):
        found = join_pictures(stimuli, trials)
        table: Any = found.people.table
        assert table["participant"].nunique() == n and len(found.stimuli) == 6
        new = table[table["participant"] == "new"]
        assert dict(zip(new["condition"], new["level"], strict=True)) == {"c05": 5, "c30": 30, "c100": 100}
        assert table.groupby("stimulus")["condition"].nunique().max() == 1
    assert "Levels are the numbers in the column condition." in join_pictures(stimuli, Trials(own, ())).sentences


def test_an_experiment_of_ones_own_does_not_contradict_a_published_condition(tmp_path: Path) -> None:
    stimuli = write_pictures(tmp_path / "p", ["bird/bird1-dog1", "dog/dog1-bird1"])
    rows = [f"1,0.5,bird,{a},0,0001_s5n_a_0_{a}_00_{b}.png" for a, b in (("bird", "bird1-dog1"), ("dog", "dog1-bird1"))]
    people = open_people(write_trials(tmp_path / "t", {"a": rows}))
    own = people.table.assign(participant="new", stimulus=["bird1-dog1", "dog1-bird1"], condition="natural")
    library: Any = pd
    joined = join_pictures(stimuli, Trials(library.concat([people.table, own], ignore_index=True), ()))
    assert set(joined.people.table["condition"]) == {"0"}
    alone = join_pictures(stimuli, Trials(own, ()))
    assert set(alone.people.table["condition"]) == {"natural"}
    for other in ("pow", "1"):
        bad = library.concat([people.table, own.assign(condition=other)], ignore_index=True)
        with pytest.raises(InputError, match="one condition of every picture"):
            join_pictures(stimuli, Trials(bad, ()))


def test_patterns_take_the_group_on_both_sides(tmp_path: Path) -> None:
    people = open_people(tmp_path / "people", id_pattern=r"_00_(.*)\.png") if make_plain(tmp_path) else None
    assert people is not None
    pictures = write_pictures(tmp_path / "p", ["bear/x_00_bear1-dog2.png", "dog/x_00_dog3-bear1.png"])
    found = join_pictures(pictures, people, r"_00_(.*)\.png", r"-([a-z]+)")
    assert found.stimuli.ids == ("bear1-dog2", "dog3-bear1") and found.stimuli.conditions["texture"] == ["dog", "bear"]
    with pytest.raises(InputError, match="texture_pattern that fits"):
        join_pictures(pictures, people, r"_00_(.*)\.png", r"=([a-z]+)")


def test_what_does_not_belong_together_is_refused(tmp_path: Path, shared_data: Path) -> None:
    people = make_plain(tmp_path)
    with pytest.raises(InputError, match="none: 'cat1' and '0000_s5n"):
        join_pictures(write_pictures(tmp_path / "others", ["cat/cat1", "cat/cat2"]), people)
    with pytest.raises(InputError, match="'dog' and 'bear' of bear1-dog2"):
        join_pictures(write_pictures(tmp_path / "wrong", ["dog/bear1-dog2", "dog/dog3-bear1"]), people)
    with pytest.raises(InputError, match="trials of one experiment"):
        both = pd.concat(
            [people.table, people.table.assign(stimulus="0001_edg_s01_0_bear_00_bear1-dog2.png", truth="bear")]
        )
        join_pictures(write_pictures(tmp_path / "p", ["bear/bear1-dog2", "dog/dog3-bear1"]), Trials(both, ()))
    silhouettes = StimulusSet.from_folder(shared_data / "shape_texture" / "silhouettes")
    edges = open_people(shared_data / "shape_texture" / "human" / "edge")
    with pytest.raises(InputError, match=r"shape-texture-edges.*of shape-texture-silhouettes"):
        join_pictures(silhouettes, edges)
    assert not join_pictures(StimulusSet.from_folder(shared_data / "shape_texture" / "edges"), edges).notes
