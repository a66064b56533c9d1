"""Stimuli of tar shards."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError, StimulusError
from beholder.stimuli import StimulusSet, as_stimulus_set, open_image, read_stimuli


def encode(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 9, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_shard(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def make_members(numbers: range) -> list[tuple[str, bytes]]:
    return [each for i in numbers for each in ((f"{i:05d}.png", encode(i)), (f"{i:05d}.cls", f"{i % 10}\n".encode()))]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shard(folder / "train-00.tar", make_members(range(12)))
    write_shard(folder / "train-01.tar", make_members(range(12, 15)))
    return folder


def test_shards_hold_what_was_written(shards: Path) -> None:
    for path in (shards, shards / "train-{00..01}.tar"):
        found = read_stimuli(path)
        assert found.ids == tuple(f"{i:05d}" for i in range(15)) and found.kind == "image"
        assert found.labels == tuple(str(i % 10) for i in range(15))
        assert found.targets.tolist() == [i % 10 for i in range(15)]
        assert [found.source(i) for i in range(15)] == [encode(i) for i in range(15)]
        assert found.conditions["shard"][11:13] == ["train-00.tar", "train-01.tar"]
    taken = pickle.loads(pickle.dumps(found[[13, 2]]))
    assert np.array_equal(np.asarray(open_image(taken.source(0))), np.asarray(open_image(encode(13))))
    assert len(as_stimulus_set(shards / "train-01.tar")) == 3


def test_json_gives_labels_and_columns(tmp_path: Path) -> None:
    facts = {"label": "owl", "speaker": "ann", "take": 3, "box": [1, 2]}
    members = [("a/x.1.png", encode(0)), ("a/x.json", json.dumps(facts).encode())]
    found = StimulusSet.from_shards(write_shard(tmp_path / "x.tar", members))
    assert (found.labels, found.conditions["speaker"], found.conditions["take"]) == (("owl",), ["ann"], [3])
    assert "box" not in found.conditions


def test_folders_in_names_are_classes(tmp_path: Path) -> None:
    members = [(f"./{name}/{i}.png", encode(i)) for name in ("cat", "owl") for i in range(2)]
    found = StimulusSet.from_shards(write_shard(tmp_path / "x.tar", members))
    assert found.labels == ("cat", "cat", "owl", "owl") and found.ids == ("cat__0", "cat__1", "owl__0", "owl__1")


def test_keys_of_several_shards_get_their_names(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", make_members(range(2)))
    write_shard(tmp_path / "b.tar", make_members(range(2)))
    assert read_stimuli(tmp_path).ids == ("a__00000", "a__00001", "b__00000", "b__00001")


def test_what_is_no_whole_shard_is_refused(tmp_path: Path, shards: Path) -> None:
    whole = (shards / "train-00.tar").read_bytes()
    cut = tmp_path / "cut.tar"
    for n_bytes in (700, 5 * 512 + 100):
        cut.write_bytes(whole[:n_bytes])
        with pytest.raises(InputError, match=r"whole tar file.*cut\.tar"):
            StimulusSet.from_shards(cut)
    cut.write_bytes(b"no tar at all" * 100)
    with pytest.raises(InputError, match="whole tar file"):
        StimulusSet.from_shards(cut)
    with pytest.raises(InputError, match="without any"):
        StimulusSet.from_shards(write_shard(tmp_path / "x.tar", [("a.cls", b"1")]))
    with pytest.raises(InputError, match="none for 00001"):
        StimulusSet.from_shards(write_shard(tmp_path / "x.tar", make_members(range(2))[:3]))
    twice = [*make_members(range(2)), *make_members(range(1))]
    with pytest.raises(InputError, match="twice"):
        StimulusSet.from_shards(write_shard(tmp_path / "x.tar", twice))
    with pytest.raises(InputError, match=r"missing.*train-02"):
        StimulusSet.from_shards(shards / "train-{00..02}.tar")


def test_a_shard_that_was_cut_since_is_named(shards: Path) -> None:
    found = StimulusSet.from_shards(shards / "train-01.tar")
    (shards / "train-01.tar").write_bytes((shards / "train-01.tar").read_bytes()[:600])
    with pytest.raises(StimulusError, match="train-01"):
        found.read(2)


def test_a_folder_of_pictures_with_a_tar_file_is_one_of_pictures(tmp_path: Path) -> None:
    write_shard(tmp_path / "old.tar", make_members(range(2)))
    (tmp_path / "a.png").write_bytes(encode(5))
    assert read_stimuli(tmp_path).ids == ("a",)
