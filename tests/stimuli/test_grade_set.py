import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError
from beholder.jobs import verify_outputs
from beholder.stimuli import (
    GradeOptions,
    StimulusSet,
    grade_stimuli,
    load_sound,
    save_picture,
    save_sound,
    set_contrast,
)


@pytest.fixture
def pictures(fill, tmp_path):
    return fill(tmp_path / "in", "cat/one.png", "dog/two.png", "dog/three.png")


def read_rows(folder):
    with (folder / "stimuli.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_bytes(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*.*"))
        if path.is_file() and path.suffix != ".json"
    }


def test_every_stimulus_is_there_at_every_level(pictures, tmp_path):
    made = grade_stimuli(pictures, "contrast", [0.2, 1], tmp_path / "out")
    assert made.ids == tuple(f"contrast_{level}__{name}" for level in ("0.2", "1") for name in ("one", "three", "two"))
    assert made.labels == ("cat", "dog", "dog") * 2
    assert made.targets.tolist() == [0, 1, 1] * 2
    assert made.conditions == {
        "grade": ["contrast"] * 6, "level": [0.2] * 3 + [1.0] * 3, "original": ["one", "three", "two"] * 2,
    }  # fmt: skip
    original = np.asarray(Image.open(pictures / "cat" / "one.png")) / 255
    low = np.asarray(Image.open(made.path(0))) / 255
    assert np.abs(low - set_contrast(original, 0.2)).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(np.asarray(Image.open(made.path(3))) / 255, original)


def test_any_number_of_workers_and_a_cut_short_run_give_the_same_bytes(pictures, tmp_path):
    whole = tmp_path / "whole"
    grade_stimuli(pictures, "uniform_noise", [0.1, 0.4], whole, workers=2)
    cut = tmp_path / "cut"
    grade_stimuli(pictures, "uniform_noise", [0.4], cut)
    (cut / "uniform_noise_0.4" / "one.png").unlink()  # not whole: done again
    for path in (cut / "stimuli.csv", *tmp_path.glob(".cut*/stimuli.csv*")):  # the table is written last
        path.unlink()
    grade_stimuli(pictures, "uniform_noise", [0.1, 0.4], cut)
    assert read_bytes(cut) == read_bytes(whole)


def test_noise_is_the_files_own(tmp_path):
    for name in ("a", "b"):
        save_picture(tmp_path / "in" / f"{name}.png", np.full((16, 16), 0.5))
    made = grade_stimuli(tmp_path / "in", "uniform_noise", [0.1, 0.2], tmp_path / "out")
    shown = [np.asarray(Image.open(made.path(i)), dtype=float) - 127.5 for i in range(4)]
    for i in range(4):
        for j in range(i):
            assert abs(np.corrcoef(shown[i].ravel(), shown[j].ravel())[0, 1]) < 0.3


def test_levels_and_stimuli_are_added_in_their_places(pictures, fill, tmp_path):
    out = tmp_path / "out"
    grade_stimuli(pictures, "blur", [2], out)
    before = (out / "blur_2" / "one.png").stat().st_mtime_ns
    fill(pictures, "ant/zero.png")
    made = grade_stimuli(pictures, "blur", [1, 2], out)
    assert (out / "blur_2" / "one.png").stat().st_mtime_ns == before
    assert made.ids[4:] == ("blur_2__zero", "blur_2__one", "blur_2__three", "blur_2__two")
    assert len(made) == 8
    grade_stimuli(pictures, "blur", [2, 1], tmp_path / "turned")
    assert (tmp_path / "turned" / "stimuli.csv").read_bytes() == (out / "stimuli.csv").read_bytes()
    assert [made.targets[made.index_of(f"blur_2__{name}")] for name in ("zero", "one", "two")] == [0, 1, 2]


def test_classes_keep_their_numbers(pictures, fill, tmp_path):
    out = tmp_path / "out"
    grade_stimuli(pictures, "blur", [2], out)
    fill(pictures, "ant/zero.png")
    with pytest.raises(ConfigurationChanged, match=r"the class 'cat' to be number 0, as .*stimuli.csv has it; got 1"):
        grade_stimuli(pictures, "blur", [1], out)
    assert not (out / "blur_1").exists()


def test_some_of_the_stimuli_leave_the_others_vouched_for(pictures, tmp_path):
    out = tmp_path / "out"
    grade_stimuli(pictures, "contrast", [1], out)
    grade_stimuli(pictures / "cat", "contrast", [1], out)
    assert [(check.n_files, check.files) for check in verify_outputs(out)] == [(4, ())]


def test_conditions_are_in_one_order_whoever_comes_first(pictures, tmp_path):
    tables = []
    for i, columns in enumerate(("view,age", "view,size")):
        tables.append(tmp_path / f"{i}.csv")
        tables[i].write_text(f"file,label,{columns}\nin/cat/one.png,cat,1,2\n")
    for name, order in (("one", (0, 1)), ("other", (1, 0))):
        for i in order:
            grade_stimuli(tables[i], "phase", [90 - i], tmp_path / name)
    made = (tmp_path / "one" / "stimuli.csv").read_text(encoding="utf-8")
    assert made == (tmp_path / "other" / "stimuli.csv").read_text(encoding="utf-8")
    assert made.startswith("file,stimulus_id,label,target,grade,level,original,age,size,view\n")


def test_conditions_of_the_set_stay(pictures, tmp_path):
    (tmp_path / "table.csv").write_text("file,label,view\nin/cat/one.png,cat,front\nin/dog/two.png,dog,\n")
    made = grade_stimuli(tmp_path / "table.csv", "phase", [90], tmp_path / "out")
    assert made.conditions["view"] == ["front", None]


def test_options_come_before_the_grade(pictures, tmp_path):
    options = GradeOptions(size=10, grey=True, base_contrast=0.3)
    made = grade_stimuli(pictures, "uniform_noise", [0], tmp_path / "out", options=options)
    shown = np.asarray(Image.open(made.path(0)))
    assert shown.shape == (10, 10, 3)
    assert (shown == shown[..., :1]).all()
    assert shown.min() >= 127.5 - 0.15 * 255 - 1
    assert shown.max() <= 127.5 + 0.15 * 255 + 1


def test_sounds_are_graded_by_their_ratio(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        save_sound(tmp_path / "in" / f"{name}.wav", np.sin(np.arange(4000) / rng.uniform(5, 9)), 16000, rms=0.1)
    made = grade_stimuli(tmp_path / "in", "snr", [-5, 5, float("inf")], tmp_path / "out")
    assert made.kind == "sound"
    assert made.conditions["level"] == [-5, -5, 5, 5, float("inf"), float("inf")]
    clean, rate = load_sound(made.path(4))
    original, _ = load_sound(tmp_path / "in" / "a.wav")
    assert rate == 16000
    assert np.allclose(clean, original, atol=1e-6)
    matches = [np.corrcoef(load_sound(made.path(i))[0], clean)[0, 1] ** 2 for i in (0, 2)]
    assert matches[0] == pytest.approx(1 / (1 + 10**0.5), abs=0.05)  # share of variance that is the sound's
    assert matches[1] == pytest.approx(1 / (1 + 10**-0.5), abs=0.05)


def test_what_cannot_be_is_refused_before_anything_is_written(pictures, tmp_path):
    out = tmp_path / "out"
    for grade, levels, options, message in (
        ("contrast", [0.2, 1.5], None, "1.5"),
        ("contrast", [0.2, 0.2], None, "twice"),
        ("contrast", [], None, "at least one level"),
        ("snr", [3], None, "sound files"),
        ("blur", [1], GradeOptions(pixels_per_degree=-2), "pixels per degree"),
    ):
        with pytest.raises(InputError, match=message):
            grade_stimuli(pictures, grade, levels, out, options=options)
    with pytest.raises(UnknownNameError, match="contrast"):
        grade_stimuli(pictures, "contrats", [1], out)
    assert not (out / "stimuli.csv").exists()
    graded = grade_stimuli(pictures, "contrast", [0.2], out)
    with pytest.raises(InputError, match="not graded yet"):
        grade_stimuli(graded, "blur", [1], tmp_path / "twice")


def test_other_settings_or_other_pictures_are_refused(pictures, tmp_path, picture):
    out = tmp_path / "out"
    grade_stimuli(pictures, "uniform_noise", [0.2], out)
    with pytest.raises(ConfigurationChanged, match="seed was 42, now 7"):
        grade_stimuli(pictures, "uniform_noise", [0.2], out, seed=7)
    picture(9).save(pictures / "cat" / "one.png")
    with pytest.raises(ConfigurationChanged, match="another file"):
        grade_stimuli(pictures, "uniform_noise", [0.5], out)
    assert len(grade_stimuli(pictures, "uniform_noise", [0.5], out, seed=7, overwrite=True)) == 3
    assert len(read_rows(out)) == 3
    shutil.rmtree(out.parent / ".out.graded.jobs")
    with pytest.raises(ConfigurationChanged, match="holds a table"):
        grade_stimuli(pictures, "uniform_noise", [0.5], out)


def test_a_network_is_shown_the_same_files(pictures, tmp_path):
    made = grade_stimuli(pictures, "contrast", [0.1, 1], tmp_path / "out")
    again = StimulusSet.from_table(tmp_path / "out" / "stimuli.csv")
    assert again.ids == made.ids
    assert [again.hash_stimulus(i) for i in range(6)] == [made.hash_stimulus(i) for i in range(6)]
