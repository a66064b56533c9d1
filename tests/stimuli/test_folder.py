import logging

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder._core.wording import at_command_line
from beholder.stimuli import StimulusSet, get_image_set, list_image_extensions, save_sound


def test_a_flat_folder_is_sorted_and_every_picture_its_own_class(tmp_path, fill):
    stimuli = StimulusSet.from_folder(fill(tmp_path, "b.PNG", "a.jpg", "c.TIFF", "d.webp", "Z.jpeg"))
    assert stimuli.files == ("Z.jpeg", "a.jpg", "b.PNG", "c.TIFF", "d.webp")
    assert stimuli.ids == stimuli.labels == ("Z", "a", "b", "c", "d")
    assert stimuli.targets.dtype == np.int64
    assert stimuli.targets.tolist() == [0, 1, 2, 3, 4]
    assert stimuli.layout == "flat"


def test_class_folders_with_one_picture_each_are_classes(tmp_path, fill):
    stimuli = StimulusSet.from_folder(fill(tmp_path, "n2/x.png", "n1/y.png"))
    assert stimuli.files == ("n1/y.png", "n2/x.png")
    assert stimuli.labels == ("n1", "n2")
    assert stimuli.targets.tolist() == [0, 1]
    assert stimuli.layout == "classes"
    assert stimuli.path(0) == tmp_path / "n1" / "y.png"


def test_stray_and_hidden_files_do_not_matter(tmp_path, fill):
    folder = fill(tmp_path, "n1/a.png", "n1/deep/b.png", "n2/c.png", "n1/._a.png", ".hidden/x.png", "._y.png")
    fill(folder / ".ipynb_checkpoints", "a.png")
    fill(folder / "n2" / "__MACOSX", "a.png")
    for name in ("README.txt", "Thumbs.db", "n1/Thumbs.db", "n2/labels.csv", ".DS_Store"):
        (folder / name).write_text("x")
    assert StimulusSet.from_folder(folder).files == ("n1/a.png", "n1/deep/b.png", "n2/c.png")


def test_folders_without_pictures_are_no_classes_and_said(tmp_path, fill, caplog):
    folder = fill(tmp_path, "b/x.png")
    (folder / "a_empty").mkdir()
    with caplog.at_level(logging.WARNING, "beholder"):
        stimuli = StimulusSet.from_folder(folder)
    assert stimuli.targets.tolist() == [0]
    assert "a_empty" in caplog.text


def test_pictures_beside_class_folders_are_refused_unless_the_layout_is_said(tmp_path, fill):
    folder = fill(tmp_path, "x.png", "n1/y.png")
    with pytest.raises(InputError, match="1 image beside 1 folder") as caught:
        StimulusSet.from_folder(folder)
    assert "\n" not in str(caught.value)
    assert list(StimulusSet.from_folder(folder, layout="flat")) == ["x"]
    assert list(StimulusSet.from_folder(folder, layout="classes")) == ["y"]


def test_repeated_stems_make_every_id_a_path(tmp_path, fill):
    stimuli = StimulusSet.from_folder(fill(tmp_path, "a/1.png", "b/1.png", "b/sub/2.png"))
    assert stimuli.ids == ("a__1", "b__1", "b__sub__2")


def test_ids_that_still_collide_are_refused_with_both_names(tmp_path, fill):
    with pytest.raises(InputError, match=r"a\.jpg and a\.png, both with the id 'a'") as caught:
        StimulusSet.from_folder(fill(tmp_path, "a.png", "a.jpg", "b.png"))
    assert "\n" not in str(caught.value)


def test_dots_in_stems_stay(tmp_path, fill):
    assert StimulusSet.from_folder(fill(tmp_path, "a.1.png", "a.2.png")).ids == ("a.1", "a.2")


def test_sounds_are_told_from_pictures_and_both_refused(tmp_path, fill):
    save_sound(tmp_path / "s.wav", np.zeros(10), 8000)
    assert StimulusSet.from_folder(tmp_path).kind == "sound"
    fill(tmp_path, "p.png")
    with pytest.raises(InputError, match="1 image and 1 sound"):
        StimulusSet.from_folder(tmp_path)
    with at_command_line(), pytest.raises(InputError, match=r"try moving either away$"):
        StimulusSet.from_folder(tmp_path)
    assert list(StimulusSet.from_folder(tmp_path, kind="image")) == ["p"]
    assert list(StimulusSet.from_folder(tmp_path, kind="sound")) == ["s"]
    with pytest.raises(InputError, match="kind 'image' or 'sound'"):
        StimulusSet.from_folder(tmp_path, kind="movie")  # pyright: ignore[reportArgumentType]


def test_a_folder_without_stimuli_says_what_was_sought_and_what_is_there(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    with pytest.raises(InputError, match=r"jpg, jpeg, png.*wav, flac.*holds 2 with \.txt") as caught:
        StimulusSet.from_folder(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(InputError, match="nothing at"):
        StimulusSet.from_folder(tmp_path / "none")
    with pytest.raises(InputError, match="a file at"):
        StimulusSet.from_folder(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds nothing"):
        StimulusSet.from_folder(tmp_path / "empty")


def test_links_are_followed_but_not_in_circles(tmp_path, fill):
    folder = fill(tmp_path / "set", "n1/a.png")
    fill(tmp_path / "else", "b.png")
    (folder / "n2").symlink_to(tmp_path / "else")
    (folder / "n1" / "round").symlink_to(folder / "n1")
    assert StimulusSet.from_folder(folder).files == ("n1/a.png", "n2/b.png")


def test_every_extension_listed_is_one_that_pillow_opens():
    extensions = list_image_extensions()
    assert {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".webp", ".eps", ".mpo"} <= extensions
    assert not {".h5", ".pdf", ".mpg", ".wav", ".txt", ".csv"} & extensions
    by_format = Image.registered_extensions()
    assert all(by_format[each] in Image.OPEN or by_format[each] == "MPO" for each in extensions)


def test_get_image_set_lists_sorted_stems(tmp_path, fill):
    folder = fill(tmp_path, "b.png", "a.PNG", "c.jpg", "sub/d.png")
    (folder / "notes.txt").write_text("x")
    assert get_image_set(str(folder)) == ["a", "b", "c"]
    with pytest.raises(InputError, match="holds 1 with"):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "x.txt").write_text("x")
        get_image_set(tmp_path / "other")


def test_the_real_sample_has_one_class_a_folder(shared_data):
    stimuli = StimulusSet.from_folder(shared_data / "imagenet_sample")
    assert len(stimuli) == 1000
    assert stimuli.targets.tolist() == list(range(1000))
    words = (shared_data / "imagenet_synset_words.txt").read_text().splitlines()
    assert [label.split("_")[0] for label in stimuli.labels] == [line.split()[0] for line in words]
