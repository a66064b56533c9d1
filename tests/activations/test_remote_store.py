"""Stores at an address: written from here, read by anybody, owned by one folder; stimuli at one, too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder._core import addresses
from beholder._core.errors import ConfigurationChanged, InputError, OutputBusy, StimulusError, StorageUnreachable
from beholder.jobs import JobFolder, place_mirror, verify_outputs
from beholder.models import ImagePreprocessing, wrap
from beholder.stimuli import as_stimulus_set
from s3_server import connect_s3, forget_connections, serve_s3, upload


def make_net() -> Any:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    return wrap(module, ImagePreprocessing(resize=8, crop=(8, 8)), name="small")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for i in range(6):
        (tmp_path / "pictures" / "ab"[i % 2]).mkdir(exist_ok=True, parents=True)
        pixels = np.random.default_rng(i).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png")
    return tmp_path / "pictures"


@pytest.fixture
def fresh_connections() -> Iterator[None]:
    """What was connected to before is forgotten, and what a test connects to afterwards."""
    forget_connections()
    yield
    forget_connections()


def extract(source: Any, target: Any, layers: tuple[str, ...] = ("0", "2"), **more: Any) -> bh.Activations:
    return bh.extract(make_net(), source, list(layers), out_path=target, threads=1, **more)


def list_shards(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("values/c.*")}


def test_a_store_at_an_address_holds_what_a_local_one_does(
    bucket: tuple[str, Any], pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address, client = bucket
    upload(client, pictures, f"{address}/pictures")
    plain = extract(pictures, tmp_path / "acts")
    with caplog.at_level("INFO", "beholder"):
        acts = extract(f"{address}/pictures", f"{address}/acts")
    store = f"{address.removeprefix('s3://')}/acts/small.zarr"
    found = {name.removeprefix(store + "/"): client.cat_file(name) for name in client.find(store) if "/c." in name}
    assert found == list_shards(tmp_path / "acts" / "small.zarr") != {}
    assert acts.stimulus_ids == plain.stimulus_ids and acts.stimulus_hashes == plain.stimulus_hashes
    opened = bh.open(f"{address}/acts/small.zarr")
    assert opened.layers == ["0", "2"] and f"{address}/acts" in repr(opened)
    for rows in (slice(None), slice(1, 3), [5, 0]):
        assert np.array_equal(opened["2"][rows], plain["2"][rows])
    assert bh.activations.describe_file(f"{address}/acts/small.zarr").path == f"{address}/acts/small.zarr"
    assert opened.stimuli["label"].tolist() == plain.stimuli["label"].tolist()
    local = place_mirror(f"{address}/acts/small.zarr")
    assert list_shards(local) == {} and f"receipts and claims lie in {local.parent}" in caplog.text
    names = [name.rpartition("/")[2] for name in client.find(f"{address}/acts/.small.zarr.jobs")]
    assert sorted(names) == ["owner.json", "provenance.json"]


def test_going_on_does_only_what_is_missing(
    bucket: tuple[str, Any], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, client = bucket
    upload(client, pictures, f"{address}/pictures")
    whole = extract(f"{address}/pictures", f"{address}/acts")["2"].to_numpy()
    lost = next(name for name in client.find(address) if "/2/values/c." in name)
    client.rm(lost)
    fetched: list[str] = []
    read = addresses.read_range
    monkeypatch.setattr(
        "beholder.stimuli.sets._remote_files.read_range", lambda *a, **k: fetched.append(k["place"]) or read(*a, **k)
    )
    again = extract(f"{address}/pictures", f"{address}/acts")
    assert client.exists(lost) and np.array_equal(again["2"].to_numpy(), whole)
    fetched.clear()
    extract(f"{address}/pictures", f"{address}/acts")
    assert len(fetched) <= 1  # the one that the network is looked at with
    with pytest.raises(ConfigurationChanged, match="1 missing"):
        extract(as_stimulus_set(f"{address}/pictures")[1:], f"{address}/acts")


def test_another_folder_is_refused(
    bucket: tuple[str, Any], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, client = bucket
    home = tmp_path / "home"
    extract(pictures, f"{address}/acts", ("0",))
    monkeypatch.setenv("BEHOLDER_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(OutputBusy, match=rf"belongs to .*receipts in {home}.*cannot see each other's claims"):
        extract(pictures, f"{address}/acts", ("2",))
    taken = extract(pictures, f"{address}/acts", ("2",), overwrite=True)
    assert taken.layers == ["2"] and bh.open(f"{address}/acts/small.zarr").layers == ["2"]
    monkeypatch.setenv("BEHOLDER_HOME", str(home))
    with pytest.raises(OutputBusy, match="elsewhere"):
        extract(pictures, f"{address}/acts", ("2",))
    client.rm(f"{address}/acts/.small.zarr.jobs", recursive=True)
    with pytest.raises(ConfigurationChanged, match="made elsewhere"):
        extract(pictures, f"{address}/acts", ("0",))


def test_a_run_that_lost_its_output_stops(
    bucket: tuple[str, Any], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, client = bucket
    keep = JobFolder.keep_files

    def lose(folder: JobFolder, names: Any) -> None:
        client.pipe_file(f"{address}/acts/.small.zarr.jobs/owner.json", json.dumps({"owner": "x"}).encode())
        keep(folder, names)

    monkeypatch.setattr(JobFolder, "keep_files", lose)
    with pytest.raises(OutputBusy, match="belongs to another machine"):
        extract(pictures, f"{address}/acts", ("0",))
    assert not [name for name in client.find(address) if "/c." in name]
    with pytest.raises(InputError, match="complete activation store"):
        bh.open(f"{address}/acts/small.zarr")


def test_what_else_is_written_stays_here(
    bucket: tuple[str, Any], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.activations import plan_steps, process_activations

    address, client = bucket
    acts = extract(pictures, f"{address}/acts", ("0",))
    with pytest.raises(InputError, match=rf"place on this machine to write to; got {address}/acts/small"):
        process_activations(acts, plan_steps(center_acts=True))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"to write to; got {address}/0\.npy"):
        acts["0"].save(f"{address}/0.npy")
    assert not (tmp_path / "s3:").exists()
    saved = acts["0"].save(tmp_path / "0.npy")
    assert np.array_equal(np.load(saved).reshape(6, -1), acts["0"].to_numpy().reshape(6, -1))
    damaged = next(name for name in client.find(address) if "/0/values/c." in name)
    content = bytearray(client.cat_file(damaged))
    content[5] ^= 1
    client.pipe_file(damaged, bytes(content))
    with pytest.raises(InputError, match="as it was written"):
        bh.open(f"{address}/acts/small.zarr")["0"].to_numpy()


def test_verify_reads_what_lies_at_the_address(
    bucket: tuple[str, Any], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, client = bucket
    whole = extract(pictures, f"{address}/acts")["2"].to_numpy()
    (check,) = verify_outputs(f"{address}/acts")
    assert check.is_whole and check.files == () and check.output == f"{address}/acts/small.zarr" and check.n_files > 4
    names = client.find(f"{address}/acts/small.zarr")
    lost = next(name for name in names if "/2/values/c." in name)
    damaged = next(name for name in names if "/0/values/c." in name)
    head = next(name for name in names if name.endswith("/2/zarr.json"))
    client.rm(lost)
    client.pipe_file(damaged, client.cat_file(damaged)[:-1] + b"?")
    client.pipe_file(head, b"{}")
    client.pipe_file(f"{address}/acts/small.zarr/notes.txt", b"mine")
    (check,) = verify_outputs(f"{address}/acts/small.zarr")
    found = {(each.state, each.file.removeprefix("s3://")) for each in check.files}
    asked = {("damaged", damaged), ("damaged", head), ("missing", lost)}
    assert found == {*asked, ("unknown", f"{address}/acts/small.zarr/notes.txt".removeprefix("s3://"))}
    assert np.array_equal(extract(pictures, f"{address}/acts")["2"].to_numpy(), whole)
    local = place_mirror(f"{address}/acts")
    assert [each.is_whole for each in verify_outputs(local)] == [True], "by the folder of this machine as well"
    monkeypatch.setenv("BEHOLDER_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match=rf"small\.zarr belongs to .*receipts in {local}; try where"):
        verify_outputs(f"{address}/acts")
    with pytest.raises(InputError, match=r"nothing at .* that says whose it is"):
        verify_outputs(f"{address}/none")


@pytest.mark.usefixtures("fresh_connections")
def test_a_server_that_goes_away_is_one_line_and_nothing_is_lost(
    bucket: tuple[str, Any], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_WAITS", (0.0,))
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    plain = extract(pictures, tmp_path / "plain", ("0",))
    with serve_s3() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server)
        forget_connections()
        client = connect_s3(server)
        client.mkdir("gone")
        upload(client, pictures, "gone/pictures")
        found = as_stimulus_set("s3://gone/pictures")
    with pytest.raises(StorageUnreachable, match=r"an answer from s3://gone/pictures"):
        extract(found, tmp_path / "acts", ("0",))
    with pytest.raises(StorageUnreachable):
        extract(pictures, "s3://gone/acts", ("0",))
    port = int(server.rpartition(":")[2])
    with serve_s3(port) as server:
        forget_connections()
        client = connect_s3(server)
        client.mkdir("gone")
        upload(client, pictures, "gone/pictures")
        acts = extract(as_stimulus_set("s3://gone/pictures"), tmp_path / "acts", ("0",))
    assert np.array_equal(acts["0"].to_numpy(), plain["0"].to_numpy())


@pytest.mark.usefixtures("fresh_connections")
def test_bad_pictures_and_wrong_places_are_named(
    bucket: tuple[str, Any], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, client = bucket
    upload(client, pictures, f"{address}/pictures")
    client.pipe_file(f"{address}/pictures/a/4.png", (pictures / "a" / "4.png").read_bytes()[:60])
    with pytest.raises(StimulusError, match=r"a/4\.png.*skip_bad=True"):
        extract(f"{address}/pictures", f"{address}/acts", ("0",))
    assert "4" not in as_stimulus_set(f"{address}/pictures", skip_bad=True).ids
    listed = as_stimulus_set(f"{address}/pictures")
    client.pipe_file(f"{address}/pictures/b/1.png", b"other")
    with pytest.raises(StimulusError, match=r"b/1\.png, with 5 bytes where"):
        listed.read(listed.index_of("1"))
    with pytest.raises(InputError, match=rf"nothing at {address}/nowhere"):
        as_stimulus_set(f"{address}/nowhere")
    with pytest.raises(InputError, match="nothing at s3://no-such-bucket/x"):
        as_stimulus_set("s3://no-such-bucket/x")
    with pytest.raises(InputError, match="which is none"):
        bh.open(f"{address}/pictures")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    forget_connections()
    with pytest.raises(InputError, match=r"credentials for .*AWS_ACCESS_KEY_ID.*FSSPEC_S3_ANON"):
        as_stimulus_set(f"{address}/pictures")


def test_memory_and_tables_of_addresses(pictures: Path, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    try:
        upload(memory, pictures, "/lab/pictures")
        plain, found = as_stimulus_set(pictures), as_stimulus_set("memory://lab/pictures")
        assert (found.ids, found.labels, found.files) == (plain.ids, plain.labels, plain.files)
        assert found.targets.tolist() == plain.targets.tolist() and found.layout == plain.layout
        assert [found.hash_stimulus(i) for i in range(6)] == [plain.hash_stimulus(i) for i in range(6)]
        (tmp_path / "x.csv").write_text(
            "file,label\nmemory://lab/pictures/a/2.png,owl\nmemory://lab/pictures/b/1.png,cat\n"
        )
        memory.pipe_file("/lab/x.csv", b"file\npictures/a/0.png\n")
        assert as_stimulus_set(tmp_path / "x.csv").ids == ("2", "1")
        assert as_stimulus_set("memory://lab/x.csv").read_bytes(0) == (pictures / "a" / "0.png").read_bytes()
        assert as_stimulus_set(["memory://lab/pictures/b/3.png", "memory://lab/pictures/a/4.png"]).ids == ("3", "4")
        (tmp_path / "y.csv").write_text("file\nmemory://lab/pictures/a/9.png\n")
        with pytest.raises(StimulusError, match=r"1 missing.*a/9\.png"):
            as_stimulus_set(tmp_path / "y.csv")
    finally:
        memory.rm("/lab", recursive=True)


def test_an_absent_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def refuse(name: str) -> Any:
        raise ImportError(f"Install gcsfs to access {name}")

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=r"the package 's3fs' .*pip install 'beholder\[remote\]'"):
        as_stimulus_set("s3://lab/pictures")
    monkeypatch.setattr(fsspec.core, "get_filesystem_class", refuse)
    with pytest.raises(InputError, match="the package that reads gs://"):
        as_stimulus_set("gs://lab/pictures")
