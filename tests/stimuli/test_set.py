import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from beholder._core.errors import InputError, StimulusError, UnknownNameError
from beholder._core.hashing import hash_bytes
from beholder.stimuli import StimulusSet, as_stimulus_set, load_sound, open_image


@pytest.fixture
def ten(tmp_path, fill):
    return StimulusSet.from_folder(fill(tmp_path / "ten", *[f"{'ab'[i % 2]}/p{i}.png" for i in range(10)]))


def test_slices_positions_masks_and_ids_pick_the_same_stimuli(ten):
    wanted = list(ten)[2:5]
    mask = np.zeros(10, bool)
    mask[2:5] = True
    for which in (slice(2, 5), [2, 3, 4], np.array([2, 3, 4]), [-8, -7, -6], mask, wanted, tuple(wanted)):
        part = ten[which]
        assert list(part) == wanted
        assert part.files == ten.files[2:5]
        assert part.targets.tolist() == ten.targets[2:5].tolist()
    assert list(ten[wanted[1]]) == [wanted[1]]
    assert list(ten[3]) == [ten.ids[3]]
    assert list(ten[[4, 2]]) == [ten.ids[4], ten.ids[2]]
    assert len(ten[[]]) == 0


def test_picks_that_cannot_be_are_refused(ten):
    with pytest.raises(InputError, match="positions below 10"):
        ten[[3, 10]]
    with pytest.raises(InputError, match="positions below 10; got -11"):
        ten[-11]
    with pytest.raises(InputError, match=r"mask of shape \(10,\)"):
        ten[np.ones(9, bool)]
    with pytest.raises(UnknownNameError, match="'p4'"):
        ten[["p4x"]]
    with pytest.raises(InputError, match="ids that differ"):
        ten[[1, 1]]
    with pytest.raises(InputError, match="a slice, integers"):
        ten[1.5]


def test_fraction_keeps_int_of_n_times_f_in_order_whatever_else_is_drawn(ten):
    first = ten.select_fraction(0.35, seed=1)
    np.random.default_rng(0).random(5)
    assert len(first) == int(10 * 0.35) == 3
    assert list(first) == list(ten.select_fraction(0.35, seed=1))
    assert list(first) == [stimulus_id for stimulus_id in ten if stimulus_id in set(first)]
    assert first.selection == {"fraction": 0.35, "seed": 1, "balanced": False, "n_before": 10}
    drawn = {tuple(ten.select_fraction(0.35, seed=seed)) for seed in range(20)}
    assert len(drawn) > 10
    assert list(ten.select_fraction(1.0)) == list(ten)
    assert first.select_fraction(0.5).selection["before"] == first.selection


def test_every_stimulus_is_equally_likely_to_be_kept():
    stimuli = StimulusSet.from_arrays(np.zeros((20, 2)))
    counts = np.zeros(20)
    for seed in range(400):
        counts[stimuli.select_fraction(0.25, seed).targets] += 1
    # binomial(400, 0.25): sd 8.7
    assert np.abs(counts - 100).max() < 4.5 * 8.7


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, 0.09, float("nan")])
def test_a_fraction_that_leaves_nothing_or_is_none_is_refused(ten, fraction):
    with pytest.raises(InputError, match="fraction"):
        ten.select_fraction(fraction)


def test_balanced_fraction_takes_the_same_share_of_each_class():
    labels = ["a"] * 50 + ["b"] * 30 + ["c"] * 7
    stimuli = StimulusSet.from_arrays(np.zeros((87, 2)), labels=labels)
    part = stimuli.select_fraction(0.3, 7, balanced=True)
    counts: Any = pd.Series(part.labels).value_counts()
    assert len(part) == int(87 * 0.3)
    assert counts["a"] == 15
    assert counts["b"] == 9
    assert counts["c"] == 2
    assert part.targets.tolist() == sorted(part.targets.tolist())
    assert list(part) == list(stimuli.select_fraction(0.3, 7, balanced=True))
    odd = StimulusSet.from_arrays(np.zeros((14, 2)), labels=["c"] * 4 + ["a"] * 5 + ["b"] * 5)
    for seed in range(10):
        counts = pd.Series(odd.select_fraction(0.5, seed, balanced=True).labels).value_counts()
        assert sorted(counts[["a", "b"]]) == [2, 3]
        assert counts["c"] == 2
    single = StimulusSet.from_arrays(np.zeros((10, 2)))
    assert len(single.select_fraction(0.5, balanced=True)) == 5
    assert len({tuple(single.select_fraction(0.5, seed, balanced=True)) for seed in range(10)}) > 5


def test_a_set_survives_pickling_and_json(ten):
    again = pickle.loads(pickle.dumps(ten))
    assert again.ids == ten.ids
    assert again.path(3) == ten.path(3)
    described = json.loads(json.dumps(ten.select_fraction(0.5).describe()))
    assert described["n_stimuli"] == 5
    assert described["n_classes"] == 2
    assert described["selection"]["fraction"] == 0.5


def test_it_says_what_it_holds(ten):
    assert "10 images, 2 classes, classes" in repr(ten)
    frame = ten.to_pandas()
    assert list(frame.columns) == ["stimulus_id", "file", "label", "target"]
    assert frame["target"].tolist() == [0] * 5 + [1] * 5


def test_targets_cannot_be_changed_by_accident(ten):
    with pytest.raises(ValueError, match="read-only"):
        ten.targets[0] = 5


def test_columns_and_ids_are_checked():
    one = np.zeros(1)
    with pytest.raises(InputError, match="1 labels"):
        StimulusSet("image", ("a",), ("a.png",), None, ("x", "y"), one)
    with pytest.raises(InputError, match="hold no '/'"):
        StimulusSet("image", ("a/b",), ("a.png",), None, ("x",), one)


def test_bad_files_are_found_in_order_and_left_out_on_request(tmp_path, fill):
    folder = fill(tmp_path, "a.png", "b.jpg", "c.png", "d.tif")
    (folder / "b.jpg").write_bytes((folder / "b.jpg").read_bytes()[:-40])
    (folder / "c.png").write_text("no picture")
    stimuli = StimulusSet.from_folder(folder)
    bad = stimuli.find_bad_files()
    assert [each.file for each in bad] == ["b.jpg", "c.png"]
    assert "truncated" in bad[0].reason
    good = StimulusSet.from_folder(folder, skip_bad=True)
    assert list(good) == ["a", "d"]
    assert [each["file"] for each in good.selection["skipped"]] == ["b.jpg", "c.png"]
    assert good.targets.tolist() == [0, 3]
    for name in ("a.png", "d.tif"):
        (folder / name).write_bytes(b"")
    with pytest.raises(StimulusError, match="4 bad files"):
        stimuli.drop_bad_files()


def test_bad_sounds_are_left_out_too(tmp_path):
    from beholder.stimuli import save_sound

    save_sound(tmp_path / "a.wav", np.zeros(100), 8000)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:200])
    stimuli = StimulusSet.from_folder(tmp_path, skip_bad=True)
    assert stimuli.kind == "sound"
    assert list(stimuli) == ["a"]
    assert load_sound(stimuli.source(0))[1] == 8000


def test_hash_and_bytes_are_those_of_the_file(ten):
    assert hash_bytes(ten.read_bytes(2)) == ten.hash_stimulus(2)
    ten.path(2).unlink()
    with pytest.raises(StimulusError, match=ten.ids[2]):
        ten.hash_stimulus(2)
    with pytest.raises(StimulusError, match=ten.ids[2]):
        ten.read_bytes(2)


def test_anything_that_names_stimuli_becomes_a_set(tmp_path, fill):
    import h5py

    folder = fill(tmp_path / "set", "a.png", "b.png")
    (folder / "table.csv").write_text("file\nb.png\n")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["bricks"] = np.zeros((3, 4, 4, 3), np.uint8)
    assert list(as_stimulus_set(str(folder))) == ["a", "b"]
    assert list(as_stimulus_set(folder / "table.csv")) == ["b"]
    assert len(as_stimulus_set(tmp_path / "x.h5")) == 3
    assert len(as_stimulus_set(np.zeros((5, 8, 8)))) == 5
    stimuli = as_stimulus_set(folder)
    assert as_stimulus_set(stimuli) is stimuli
    assert open_image(stimuli.source(0)).mode == "RGB"


def test_the_room_loads_no_torch_and_its_list_is_whole():
    import subprocess
    import sys

    code = (
        "import sys, beholder.stimuli as s; assert 'numpy' not in sys.modules;"
        "[getattr(s, name) for name in s.__all__]; assert 'torch' not in sys.modules, 'torch'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_in_a_notebook_the_first_pictures_are_shown(tmp_path, fill):
    fill(tmp_path / "many", *[f"p{i}.png" for i in range(10)])
    (tmp_path / "many" / "p1.png").write_bytes(b"no picture")
    shown = StimulusSet.from_folder(tmp_path / "many")._repr_html_()
    assert shown.count("data:image/png;base64,") == 7 and "cannot be read" in shown and "2 more" in shown
    sounds = StimulusSet.from_arrays(np.zeros((2, 9)))
    assert "2 arrays" in sounds._repr_html_() and "<img" not in sounds._repr_html_()
