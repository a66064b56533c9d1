"""Truths of stimuli: names, WordNet ids and numbers as outputs; what does not match is refused with counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError, UnknownNameError
from beholder.evaluation import find_category_labels, find_labels
from beholder.models import list_imagenet_classes
from beholder.stimuli import SHAPE_CATEGORIES, StimulusSet, load_categories, load_wnids, load_words

CLASSES = list_imagenet_classes()
DIGITS = tuple("0123456789")
ANIMALS = ("dog", "cat", "great white shark", "crane")


def make_set(labels: Any = None, **further: Any) -> StimulusSet:
    n = len(labels if labels is not None else further["ids"])
    return StimulusSet.from_arrays(np.zeros((n, 4, 4, 3), np.uint8), labels=labels, **further)


def find(labels: Any, classes: Any = CLASSES, **further: Any) -> list[int]:
    return find_labels(make_set(labels), classes, **further).indices.tolist()


def fill(folder: Path, names: list[str]) -> StimulusSet:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)
    return StimulusSet.from_folder(folder)


def test_all_of_imagenet_by_wordnet_ids_names_in_any_case_and_numbers() -> None:
    wnids = load_wnids()
    for labels in (
        wnids, [f"{wnid}_whatever" for wnid in wnids], CLASSES, [name.upper().replace(" ", "_") for name in CLASSES
        if name.lower() != "cardigan"], [str(i) for i in range(1000)], [f"{i:04d}" for i in range(1000)],
    ):  # fmt: skip
        expected = [i for i in range(1000) if len(labels) == 1000 or CLASSES[i].lower() != "cardigan"]
        assert find(labels) == expected


def test_any_synonym_of_imagenets_classes_also_a_whole_list_of_them() -> None:
    labels = ["Carassius auratus", "man-eater", "grey_wolf", "ruffed grouse, partridge, Bonasa umbellus", "partridge"]
    assert [CLASSES[i] for i in find(labels)] == [
        "goldfish", "great white shark", "timber wolf", "ruffed grouse", "partridge",
    ]  # fmt: skip


def test_the_same_where_the_networks_classes_are_wordnet_ids_in_another_order() -> None:
    assert find(["tench", "n01443537"], load_wnids()[::-1]) == [999, 998]


@pytest.mark.parametrize("label", ["crane", "maillot", "CARDIGAN", "crawfish"])
def test_a_name_that_classes_share_is_refused_with_their_ids(label: str) -> None:
    with pytest.raises(InputError, match=rf"one class of mine; got '{label}', a name of n\d+, n\d+; try WordNet ids"):
        find([label, "tench"], who="mine")


def test_a_shared_name_means_the_class_whose_twin_is_there_by_its_own_name() -> None:
    assert [CLASSES[i] for i in find(["crane", "crane bird"])] == ["crane", "crane bird"]


def test_folders_are_joined_by_name_never_by_position(tmp_path: Path) -> None:
    found = find_labels(fill(tmp_path, ["cat/1.png", "dog/2.png", "dog/3.png"]), ANIMALS)
    assert found.indices.tolist() == [1, 0, 0]
    assert (found.names, found.how, found.source) == (("cat", "dog", "dog"), "names", "labels")


def test_folders_that_are_no_class_are_counted_and_a_near_name_is_tried() -> None:
    with pytest.raises(InputError) as refused:
        find(["dgo", "dgo", "cat", "house"], ANIMALS, who="mine")
    assert str(refused.value) == (
        "expected labels that are classes of mine; got 2 of 3 that are none (3 of 4 stimuli): 'dgo', 'house'; try 'dog'"
    )


def test_numbers_that_count_from_one_or_are_no_output_are_refused() -> None:
    with pytest.raises(InputError, match="from 0 to 3; got 1 to 4 as labels, which seem to count from 1; 1 of 4"):
        find(["1", "2", "3", "4"], ANIMALS)
    with pytest.raises(InputError, match=r"got 0 to 7 as labels; 1 of 3 stimuli are outside"):
        find(["0", "1", "7"], ANIMALS)
    with pytest.raises(InputError, match="got -1 to 2"):
        find(["-1", "1", "2"], ANIMALS)


def test_numbers_are_names_where_classes_are_called_by_numbers() -> None:
    assert find(["1", "10", "02"], ("1", "2", "10")) == [0, 2, 1]
    assert find(["3", "0"], DIGITS[::-1]) == [6, 9]


def test_outputs_without_names_take_numbers_only() -> None:
    assert find(["2", "0.0"], 5) == [2, 0]
    with pytest.raises(InputError, match="numbers from 0 to 4, since the network has no names"):
        find(["cat", "dog"], 5)


def test_words_and_the_bundled_classes() -> None:
    words = load_words()
    assert find(["young", "ability"], words) == [793, 1]
    assert find(list(SHAPE_CATEGORIES), SHAPE_CATEGORIES) == list(range(16))


def test_ids_that_begin_with_a_class_tell_it_in_a_flat_folder(tmp_path: Path) -> None:
    names = ["great_white_shark_1.png", "cat-2.png", "dog.png"]
    found = find_labels(fill(tmp_path, names), ANIMALS)
    assert (sorted(found.indices.tolist()), found.source) == ([0, 1, 2], "ids")
    assert find_labels(make_set(ids=["n01440764_10026", "n01443537_2"]), CLASSES).indices.tolist() == [0, 1]
    assert find_labels(make_set(ids=["7_george_1", "0_ann_7"]), DIGITS).indices.tolist() == [7, 0]


def test_ids_that_only_count_tell_nothing() -> None:
    for ids in (["000000", "000001"], ["a1", "b2"]):
        for classes in (DIGITS, CLASSES, 10):
            with pytest.raises(InputError, match="2 without labels, whose ids, such as"):
                find_labels(make_set(ids=ids), classes)


def test_a_flat_folder_whose_labels_a_named_set_told_has_labels(tmp_path: Path) -> None:
    names = [f"ILSVRC2012_val_0000000{i}.JPEG" for i in (1, 2)]
    fill(tmp_path, names)
    (tmp_path / "val.txt").write_text("".join(f"{name} {i}\n" for name, i in zip(names, (7, 0), strict=True)))
    found = find_labels(StimulusSet.from_named("imagenet-val", tmp_path), CLASSES)
    assert found.indices.tolist() == [7, 0]


def test_a_column_or_a_pattern_tells_labels() -> None:
    stimuli = make_set(ids=["x_cat", "y_dog"], conditions={"Species": ["dog", "cat"]}, labels=["a", "b"])
    assert find_labels(stimuli, ANIMALS, "species").indices.tolist() == [0, 1]
    assert find_labels(stimuli, ANIMALS, pattern=r"_(\w+)$").indices.tolist() == [1, 0]
    with pytest.raises(UnknownNameError, match="'specis'; try 'Species'"):
        find_labels(stimuli, ANIMALS, "specis")
    assert find_labels(stimuli, ANIMALS, "animal", pattern="{mark}_{animal}").indices.tolist() == [1, 0]
    with pytest.raises(InputError, match="1 of 2 others, such as y_dog"):
        find_labels(stimuli, ANIMALS, pattern=r"x_(\w+)$")
    with pytest.raises(InputError, match="1 of 2 empty"):
        find_labels(make_set(["a", "b"], conditions={"species": ["cat", None]}), ANIMALS, "species")


def test_a_column_target_is_taken_by_name_only() -> None:
    stimuli = make_set(["dog", "cat"], targets=[1, 0])
    assert find_labels(stimuli, ANIMALS).indices.tolist() == [0, 1]
    assert find_labels(stimuli, ANIMALS, "target").indices.tolist() == [1, 0]


def test_one_class_only_is_said() -> None:
    (note,) = find_labels(make_set(["dog"] * 3), ANIMALS).notes
    assert note == "All 3 stimuli are of one class, 'dog': the accuracy is that of one class."
    assert find_labels(make_set(["dog", "cat"]), ANIMALS).notes == ()


def test_the_sixteen_categories_by_their_names_or_classes_of_imagenet() -> None:
    categories = list(load_categories())
    found = find_category_labels(make_set(["n02690373_airliner", "barn", "cock", "cleaver"]))
    assert [categories[i] if i >= 0 else "" for i in found.indices] == ["airplane", "", "", "knife"]
    assert find_category_labels(make_set(categories)).how == "categories"
    with pytest.raises(InputError, match="which are in none"):
        find_category_labels(make_set(["barn", "tench"]))
