"""``beholder assets`` against a server on this machine, with a manifest of small assets and with the real one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.forking import FORKING

from beholder.stimuli import get_asset_folder, load_assets, load_categories
from beholder.stimuli.assets import _manifest as _asset_manifest

TABLE = b"participant,correct\n1,0.5\n"
WEIGHTS = np.random.default_rng(0).bytes(300_000)


def make_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def draw_pictures() -> dict[str, bytes]:
    files = {}
    rng = np.random.default_rng(0)
    for number in range(400):
        category, wnids = list(load_categories().items())[number // 25]
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(buffer, "JPEG")
        name = f"{number}_{number // 25}_{category}_{wnids[0]}_{number:08d}.JPEG"
        files[f"full_400_16_class_imagenet_val_images/{name}"] = buffer.getvalue()
    return files


@pytest.fixture
def publisher(file_server, asset_home, tmp_path, monkeypatch):
    address = file_server.address
    file_server.files["/pictures.tar"] = make_tar(draw_pictures())
    file_server.files["/weights.tar"] = make_tar({"a.pt": b"a" * 1000, "kell.pt": WEIGHTS})
    file_server.files["/answers.csv"] = TABLE
    (tmp_path / "assets.toml").write_text(f"""
[[archives]]
name = "pictures.tar"
url = "{address}/pictures.tar"
size = 800_000
stated_in = "here"
[[archives]]
name = "weights.tar"
url = "{address}/weights.tar"
size = 320_000
stated_in = "here"
singly = true
[[assets]]
name = "metamers-400-pictures"
group = "stimuli"
what = "pictures"
licence = "MIT"
archive = "pictures.tar"
members = ["full_400_16_class_imagenet_val_images"]
[[assets]]
name = "checkpoint-kell"
group = "checkpoints"
what = "weights"
archive = "weights.tar"
members = ["kell.pt"]
[[assets]]
name = "human-1"
group = "human"
what = "answers"
base = "{address}/"
files = [{{ path = "answers.csv", size = {len(TABLE)}, sha256 = "{hashlib.sha256(TABLE).hexdigest()}" }}]
[[assets]]
name = "hand"
group = "human"
what = "answers"
get_from = "https://example.org/landing"
[[assets]]
name = "net"
group = "nets"
what = "weights"
model = "torchvision:squeezenet1_1@IMAGENET1K_V1"
""")
    monkeypatch.setattr(_asset_manifest, "_DATA", tmp_path / "assets.toml")
    load_assets.cache_clear()
    yield file_server
    load_assets.cache_clear()


def test_the_real_list(beholder, asset_home):
    code, out, err = beholder("assets")
    assert code == 0 and f"{len(load_assets())} here, in {asset_home / 'assets'}" in err
    lines = out.splitlines()
    assert lines[0].split() == ["name", "group", "size", "state"] and len(lines) == len(load_assets()) + 1
    assert "metamers-400-pictures" in lines[1] and lines[1].endswith("in 366 MB  absent")
    code, out, _ = beholder("assets", "imi", "--json")
    (record,) = json.loads(out)["assets"]
    assert record["how"] == "address unknown: get it from https://zenodo.org/records/8131197"
    assert record["addresses"] == [] and record["state"] == "absent"
    code, out, _ = beholder("assets", "--group", "metamers-human", "metamers-tables", "--json")
    assert code == 0 and {r["group"] for r in json.loads(out)["assets"]} == {"metamers-human", "metamers-tables"}


def test_list_fetch_path_verify(beholder, publisher):
    code, out, err = beholder("assets")
    assert code == 0 and "0 of 5 here" in err
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert rows["metamers-400-pictures"].endswith("in 800 kB  absent")
    assert "  26 bytes  " in rows["human-1"]
    assert rows["net"].endswith("beholder models fetch torchvision:squeezenet1_1@IMAGENET1K_V1")
    assert rows["hand"].endswith("absent; address unknown: get it from https://example.org/landing")
    code, _, err = beholder("assets", "path", "checkpoint-kell")
    assert code == 2 and "try beholder assets fetch checkpoint-kell" in err

    code, out, err = beholder("assets", "fetch", "checkpoint-kell", "human-1")
    assert code == 0
    folder = get_asset_folder("checkpoint-kell")
    assert out.splitlines() == [
        f"checkpoint-kell: {folder} (fetched)",
        f"human-1: {get_asset_folder('human-1')} (fetched)",
    ]
    assert (folder / "kell.pt").read_bytes() == WEIGHTS
    code, out, _ = beholder("assets", "path", "checkpoint-kell")
    assert (code, out) == (0, f"{folder / 'kell.pt'}\n")
    code, out, err = beholder("assets", "--json")
    assert {r["name"]: r["state"] for r in json.loads(out)["assets"]} == {
        "metamers-400-pictures": "absent",
        "checkpoint-kell": "here",
        "human-1": "here",
        "hand": "absent",
        "net": "with its model",
    }

    publisher.requests.clear()
    code, out, _ = beholder("assets", "fetch", "--group", "checkpoints", "--json")
    assert json.loads(out) == {
        "assets": [{"name": "checkpoint-kell", "path": str(folder), "outcome": "kept"}]
    } and not publisher.requests  # fmt: skip

    code, out, _ = beholder("assets", "verify")
    assert code == 0
    assert out.splitlines() == [
        "checkpoint-kell: 1 ok (0 against published hashes)",
        "human-1: 1 ok (1 against published hashes)",
    ]
    (folder / "kell.pt").write_bytes(b"other")
    code, out, err = beholder("assets", "verify", "checkpoint-kell", "--json")
    (record,) = json.loads(out)["files"]
    assert code == 1 and record["state"] == "changed" and record["sha256"] == hashlib.sha256(b"other").hexdigest()
    assert f"1 of 1 changed or missing (kell.pt); try removing {folder}" in err
    code, _, err = beholder("assets", "verify", "metamers-400-pictures")
    assert code == 2 and "beholder assets fetch metamers-400-pictures" in err


def test_wrong_hash_and_hostile_archive(beholder, publisher):
    publisher.files["/answers.csv"] = TABLE.replace(b"0.5", b"0.6")
    publisher.files["/pictures.tar"] = make_tar({**draw_pictures(), "../evil": b"x"})
    code, out, err = beholder("assets", "fetch", "human-1")
    assert code == 2 and "sha256" in err and "removed" in err and not out and err.count("\n") == 1
    code, out, err = beholder("assets", "fetch", "metamers-400-pictures")
    assert code == 2 and "'../evil'" in err
    code, out, _ = beholder("assets", "--json")
    assert not [r for r in json.loads(out)["assets"] if r["state"] == "here"]


def test_dry_run_fetches_nothing(beholder, publisher):
    code, out, _ = beholder("assets", "fetch", "--group", "human", "checkpoints", "nets", "--dry_run")
    assert code == 0 and not publisher.requests
    assert [line.split()[0] for line in out.splitlines()] == ["checkpoint-kell", "human-1", "hand", "net"]
    code, out, _ = beholder("assets", "fetch", "checkpoint-kell", "--dry_run", "--json")
    assert json.loads(out)["plan"][0]["addresses"] == [f"{publisher.address}/weights.tar"]


def test_wrong_input_is_one_line(beholder, publisher):
    for tokens, words in [
        (["fetch"], "names of assets, or --group GROUP; got none"),
        (["fetch", "human-2"], "try 'human-1'"),
        (["fetch", "--group", "humans"], "try 'human'"),
        (["fetch", "hand"], "try getting it from https://example.org/landing"),
        (["fetch", "human-1", "--stimuli", "400"], "numbers from 0 to 399, or all; got 400"),
        (["nothing-like-this"], "expected the name of a published asset"),
        (["experiments", "2"], "try one of [1, 3"),
        (["path", "net"], "beholder models fetch torchvision"),
    ]:
        code, out, err = beholder("assets", *tokens)
        assert code == 2 and words in err and not out, (tokens, err)
        assert sum(line.startswith("error:") for line in err.splitlines()) == 1


def test_offline_names_the_file_and_the_place(beholder, publisher, monkeypatch):
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    code, _, err = beholder("assets", "fetch", "human-1")
    place = get_asset_folder("human-1") / "answers.csv"
    assert code == 2 and f"got an offline environment; try putting the file at {place}" in err


def test_weights_of_a_model_source_are_fetched_by_it(beholder, publisher, shared_data, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    code, out, err = beholder("assets", "fetch", "net", "human-1", "--json")
    assert code == 0, err
    records = json.loads(out)["assets"]
    assert [r["outcome"] for r in records] == ["fetched", "with its model"]
    assert Path(records[1]["path"]).name.startswith("squeezenet1_1")


def test_experiments(beholder):
    code, out, _ = beholder("assets", "experiments")
    assert code == 0 and len(out.splitlines()) == 16
    code, out, _ = beholder("assets", "experiments", "6")
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        ["vision", "6", "hmax_standard"],
        ["audio", "6", "spectemp_filters"],
    ]
    code, out, _ = beholder("assets", "experiments", "--json")
    records = json.loads(out)["experiments"]
    assert len(records) == 59 and records[0]["stages"][0] == "V1_fake_relu"


def test_a_fetched_set_is_stimuli_by_its_name(beholder, publisher, place, tmp_path):
    tokens = ["extract", "--model_name", f"file:{place / 'net.py'}", "--module_name", "1", "--out_path", tmp_path / "o"]
    tokens += ["--image_set", "metamers-400-pictures", "--device", "cpu", "--pool", "mean"]
    code, _, err = beholder(*tokens)
    assert code == 2 and "beholder assets fetch metamers-400-pictures" in err
    assert beholder("assets", "fetch", "metamers-400-pictures")[0] == 0
    code, out, err = beholder(*tokens, "--fraction", "0.1", "--json")
    assert code == 0, err
    assert "40" in out
    code, _, err = beholder(*tokens, "--in_path", tmp_path / "elsewhere")
    assert code == 2 and "elsewhere" in err


def run_command(tokens: list[str], manifest: str, environment: dict[str, str]) -> None:
    from beholder.cli._main import run, split_globals

    os.environ.update(environment)  # what forks has the environment of when it began
    _asset_manifest._DATA = Path(manifest)
    load_assets.cache_clear()
    sys.exit(run(split_globals(tokens)[0]))


def test_kill_9_in_the_middle_of_a_download(beholder, publisher, tmp_path):
    """The server sends slowly; the process is killed when part of the file is there."""
    publisher.seconds_a_kilobyte = 0.03
    process = FORKING.Process(
        target=run_command,
        args=(["assets", "fetch", "checkpoint-kell"], str(tmp_path / "assets.toml"), dict(os.environ)),
    )
    process.start()
    part = get_asset_folder("checkpoint-kell") / "kell.pt.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 20_000):
        assert time.monotonic() < deadline and process.is_alive()
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    publisher.seconds_a_kilobyte = 0
    publisher.requests.clear()
    had = part.stat().st_size
    assert beholder("assets", "--json")[1].count('"state": "here"') == 0
    assert beholder("assets", "fetch", "checkpoint-kell")[0] == 0
    assert (part.parent / "kell.pt").read_bytes() == WEIGHTS and not part.exists()
    first = 512 + 1024 + 512 + had  # a header, a padded member, a header
    assert publisher.requests[-1] == ("/weights.tar", f"bytes={first}-{first - had + len(WEIGHTS) - 1}")
