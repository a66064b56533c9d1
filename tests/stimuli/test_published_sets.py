"""Published sets, from folders and data files of the published form."""

from __future__ import annotations

import copyreg
import io
import json
import pickle

import numpy as np
import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.stimuli import (
    StimulusSet,
    get_asset_folder,
    list_named_sets,
    load_assets,
    load_categories,
    load_sound,
    load_wnids,
    load_words,
    save_sound,
)
from beholder.stimuli.assets._prepare import prepare_asset
from beholder.stimuli.sounds._sentences import read_row, read_sentences, unpack_sentences

PICTURES = "full_400_16_class_imagenet_val_images"
SENTENCES = "word_WSJ_validation_jsin_400words_1samplesperword_with_metadata.pckl"


@pytest.fixture
def pictures(asset_home, picture):
    """The 400 as they lie once fetched, all of one content."""
    folder = get_asset_folder("metamers-400-pictures") / PICTURES
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    picture(0).save(buffer, format="JPEG")
    rng = np.random.default_rng(0)
    for number in range(400):
        category, wnids = list(load_categories().items())[number // 25]
        name = f"{number}_{number // 25}_{category}_{rng.choice(wnids)}_{rng.integers(50_000):08d}.JPEG"
        (folder / name).write_bytes(buffer.getvalue())
    (folder / "image_list_full_400_16_class_imagenet_val_images.json").write_text("{}")
    return folder


def test_pictures_are_in_the_order_of_their_numbers(pictures):
    stimuli = StimulusSet.from_named("metamers-400-pictures")
    assert len(stimuli) == 400 and stimuli.kind == "image"
    assert [int(each.split("_")[0]) for each in stimuli.ids] == list(range(400)) == stimuli.conditions["number"]
    assert stimuli.conditions["category"] == [c for c in load_categories() for _ in range(25)]
    for i in (0, 123, 399):
        assert stimuli.labels[i] in stimuli.files[i] and load_wnids()[stimuli.targets[i]] == stimuli.labels[i]
        assert stimuli.path(i).is_file()
    assert StimulusSet.from_named("metamers-400-pictures", pictures).ids == stimuli.ids
    assert StimulusSet.from_named("metamers-400-pictures", pictures.parent).ids == stimuli.ids
    assert not stimuli[:2].find_bad_files()


def test_a_set_that_is_not_whole_is_refused(pictures):
    first = next(pictures.glob("0_*"))
    first.unlink()
    with pytest.raises(InputError, match=r"the 400 pictures.*399"):
        StimulusSet.from_named("metamers-400-pictures")
    for name, match in [
        ("0_1_airplane_n02690373_00000001.JPEG", "numbered alphabetically"),
        ("0_0_boot_n02690373_00000001.JPEG", "numbered alphabetically"),
        ("0_0_airplane_n00000001_00000001.JPEG", "1,000 classes"),
        ("1_0_airplane_n02690373_00000001.JPEG", "one picture a number"),
    ]:
        (pictures / name).write_bytes(b"x")
        with pytest.raises(InputError, match=match):
            StimulusSet.from_named("metamers-400-pictures")
        (pictures / name).unlink()


def test_sets_that_are_not_here_say_how_to_get_them(asset_home):
    for name in list_named_sets():
        if name != "imagenet-val":
            with pytest.raises(InputError, match=f"beholder assets fetch {name}$"):
                StimulusSet.from_named(name)
    with pytest.raises(InputError, match="the folder of ImageNet"):
        StimulusSet.from_named("imagenet-val")
    with pytest.raises(UnknownNameError, match="metamers-400-pictures"):
        StimulusSet.from_named("metamers-400-picturs")


def test_the_named_sets_are_assets():
    assert set(list_named_sets()) - {"imagenet-val"} <= set(load_assets())


# --- sentences --------------------------------------------------------------------------------------------------


def make_clips(n):
    return [np.random.default_rng(i).normal(0.3, 0.05, 400) for i in range(n)]


def make_document(words, clips, make_row):
    entries = {
        word: {"audio_clips": [clip], "dataframe_metadata": make_row(word, i), "extra": {"path": "x"}}
        for i, (word, clip) in enumerate(zip(words, clips, strict=True))
    }
    return {"Dataset_Word_Order": list(words), **entries}


def make_plain_row(word, i):
    return {"word": word, "sr": 200, "word_int": i, "source": f"wsj{i}", "path": "/home/x"}


def make_pandas_row(word, i):
    import pandas as pd

    row = make_plain_row(word, i)
    return pd.Series(list(row.values()), index=pd.Index(list(row), dtype=object), dtype=object, name=i)


def write_old_style(document):
    """With rows as pandas wrote them before 2023: the manager under ``_data``."""
    import pandas as pd

    def reduce(row):
        return copyreg.__newobj__, (pd.Series,), {"_data": row._mgr, "_typ": "series", "_metadata": ["name"]}  # pyright: ignore[reportAttributeAccessIssue]

    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 3)
    pickler.dispatch_table = copyreg.dispatch_table.copy()
    pickler.dispatch_table[pd.Series] = reduce
    pickler.dump(document)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make_row", "write"),
    [
        (make_plain_row, pickle.dumps),
        (make_pandas_row, pickle.dumps),
        (make_pandas_row, write_old_style),
        (lambda word, i: None, lambda document: pickle.dumps(document, 2)),
    ],
)
def test_sentences_are_read_without_running_the_file(tmp_path, make_row, write):
    words = [load_words()[i] for i in (7, 1, 300)]
    clips = make_clips(3)
    (tmp_path / "x").write_bytes(write(make_document(words, clips, make_row)))
    read = read_sentences(tmp_path / "x")
    assert [each.word for each in read] == words
    assert [each.sample_rate for each in read] == [200] * 3
    assert all((each.sound == clip).all() for each, clip in zip(read, clips, strict=True))
    known = make_row("a", 0) is not None
    assert [each.source for each in read] == ([f"wsj{i}" for i in range(3)] if known else [""] * 3)


def test_rows_of_another_form_are_empty():
    assert read_row(None) == read_row(3) == read_row([1]) == {}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"Dataset_Word_Order": ["ability"]},
        {"Dataset_Word_Order": ["ability"], "ability": {"audio_clips": []}},
        {"Dataset_Word_Order": ["ability"], "ability": {"audio_clips": [np.array([np.nan])]}},
        make_document(["nosuchword"], make_clips(1), make_plain_row),
    ],
)
def test_files_of_another_form_are_told(tmp_path, document):
    (tmp_path / "x").write_bytes(pickle.dumps(document))
    with pytest.raises(InputError) as caught:
        read_sentences(tmp_path / "x")
    assert "\n" not in str(caught.value) and str(tmp_path / "x") in str(caught.value)


def test_sentences_become_sounds_at_the_published_level(asset_home):
    folder = get_asset_folder("metamers-400-sentences")
    folder.mkdir(parents=True)
    words = load_words()[1:401]
    clips = make_clips(400)
    (folder / SENTENCES).write_bytes(pickle.dumps(make_document(words, clips, make_plain_row)))
    stimuli = StimulusSet.from_named("metamers-400-sentences")
    assert (len(stimuli), stimuli.kind, stimuli.labels) == (400, "sound", tuple(words))
    assert stimuli.targets.tolist() == list(range(1, 401))
    assert stimuli.ids[1] == f"001_{words[1]}" and stimuli.conditions["number"] == list(range(400))
    sound, rate = load_sound(stimuli.path(3))
    centered = clips[3] - clips[3].mean()
    assert rate == 200
    np.testing.assert_allclose(sound, 0.1 * centered / centered.std(), rtol=1e-5, atol=1e-7)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    unpack_sentences(folder / SENTENCES, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    (folder / SENTENCES).unlink()
    assert StimulusSet.from_named("metamers-400-sentences", folder).ids == stimuli.ids


def test_a_data_file_that_cannot_be_read_is_kept_with_a_warning(tmp_path, caplog):
    (tmp_path / SENTENCES).write_bytes(b"something else")
    prepare_asset("metamers-400-sentences", tmp_path)
    assert "cannot be used as stimuli" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [SENTENCES]


def test_too_few_sentences_are_refused(tmp_path):
    (tmp_path / SENTENCES).write_bytes(pickle.dumps(make_document(["ability"], make_clips(1), make_plain_row)))
    with pytest.raises(InputError, match="the 400 sentences; got 1"):
        StimulusSet.from_named("metamers-400-sentences", tmp_path)
    with pytest.raises(InputError, match="neither in"):
        StimulusSet.from_named("metamers-400-sentences", tmp_path / "elsewhere")


# --- natural sounds and examples --------------------------------------------------------------------------------


def test_natural_sounds_are_in_the_order_of_the_responses(asset_home):
    folder = get_asset_folder("fmri-natural-sounds") / "fMRI_natsound_data"
    names = ["stim2_b.wav", "stim10_a.wav", "stim1_c.wav"]
    for name in names:
        save_sound(folder / "165_natural_sounds" / name, np.ones(10), 20_000)
    np.save(folder / "neural_stim_meta.npy", np.array([(n.encode(), 1) for n in names], dtype="S20,i4"))
    stimuli = StimulusSet.from_named("fmri-natural-sounds")
    assert stimuli.files == tuple(names) and stimuli.kind == "sound"
    (folder / "165_natural_sounds" / names[1]).unlink()
    with pytest.raises(InputError, match="without stim10_a"):
        StimulusSet.from_named("fmri-natural-sounds")
    np.save(folder / "neural_stim_meta.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="neural_stim_meta"):
        StimulusSet.from_named("fmri-natural-sounds")


def test_examples_carry_network_stage_and_number(asset_home, fill):
    folder = get_asset_folder("examples-vision-9")
    paths = [
        f"{i}_{network}/{j}_{stage}/{n}_{network}_{stage}.png"
        for i, network, stages in [(0, "orig", ["orig"]), (10, "alexnet_early", ["relu0_fake_relu", "final"])]
        for j, stage in enumerate(stages)
        for n in (0, 25, 100)
    ]  # fmt: skip
    fill(folder, *paths)
    (folder / "experiment.json").write_text("{}")
    (folder / "receipt.json").write_text(json.dumps({"files": {}}))
    stimuli = StimulusSet.from_named("examples-vision-9")
    assert stimuli.files == tuple(paths)
    assert stimuli.targets.tolist() == [0, 25, 100] * 3 == stimuli.conditions["number"]
    assert stimuli.conditions["network"] == ["orig"] * 3 + ["alexnet_early"] * 6
    assert stimuli.conditions["stage"][3:] == ["relu0_fake_relu"] * 3 + ["final"] * 3
    with pytest.raises(InputError, match=r"none in"):
        StimulusSet.from_named("examples-vision-9", fill(folder.parent / "flat", "a.png"))
