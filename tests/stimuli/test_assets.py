"""The manifest, and fetching from a server on this machine that holds what the publishers' do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from beholder._core.errors import InputError, OutputError, UnknownNameError
from beholder._core.hashing import hash_file
from beholder.stimuli import (
    fetch_assets,
    find_asset,
    find_asset_file,
    find_asset_state,
    get_asset,
    get_asset_folder,
    get_assets_folder,
    list_asset_groups,
    list_assets,
    load_assets,
    load_metamer_experiments,
    name_asset_of,
    require_asset,
    verify_asset,
)
from beholder.stimuli.assets import _fetch, _manifest
from beholder.stimuli.assets._listing import list_example_files
from beholder.stimuli.assets._manifest import ByHand, FromArchive, FromFiles, FromListing, WithModel, read_manifest

PUBLISHERS = {
    "mcdermottlab.mit.edu",
    "github.com",
    "bitbucket.org",
    "visionlab-pretrainedmodels.s3.amazonaws.com",
}


# --- the manifest -----------------------------------------------------------------------------------------------


def test_every_asset_says_what_it_is_and_who_says_where():
    for asset in load_assets().values():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", asset.name)
        assert asset.what and asset.stated_in and asset.how
        for address in asset.addresses:
            assert urllib.parse.urlsplit(address).scheme == "https"
            assert urllib.parse.urlsplit(address).hostname in PUBLISHERS
        if isinstance(asset.way, WithModel | ByHand):
            assert not asset.addresses
        else:
            assert asset.addresses
        for path in asset.files:
            assert not path.startswith("/") and ".." not in path


def test_published_file_names_belong_to_one_asset():
    files = [file for asset in load_assets().values() for file in asset.files if not asset.name.startswith("human-")]
    assert len(files) == len(set(files))


def test_pictures_and_trials_of_recognition_are_those_at_hand(shared_data):
    """Files of the published sets that are here have the hashes of the list."""
    counts = {
        "shape-texture-cue-conflict": 1280, "shape-texture-edges": 160, "shape-texture-silhouettes": 160,
        "recognition-trials": 90,
    }  # fmt: skip
    here = {
        "cue_conflict_sample": "style-transfer-preprocessed-512",
        "edges": "edges",
        "silhouettes": "filled-silhouettes",
    }
    hashes = {}
    for name, count in counts.items():
        asset = get_asset(name)
        assert len(asset.files) == len(set(asset.files)) == len(asset.published_hashes) == count
        hashes |= asset.published_hashes
    folder = shared_data / "shape_texture"
    for place, published in {**here, "human": ""}.items():
        files = [*sorted((folder / place).glob("bear/*.png")), *sorted((folder / place).glob("edge/*.csv"))]
        assert files
        for file in files:
            name = file.relative_to(folder / place).as_posix()
            assert hash_file(file) == hashes[f"{published}/{name}".lstrip("/")]


def test_what_was_promised_is_there():
    assert set(list_asset_groups()) >= {
        "metamers-stimuli",
        "metamers-fmri",
        "metamers-human",
        "metamers-examples",
        "metamers-checkpoints-visual",
        "metamers-checkpoints-audio",
        "metamers-tables",
    }
    for experiment in load_metamer_experiments():
        networks = {f"checkpoint-{network}" for network in experiment.networks}
        group = "visual" if experiment.modality == "vision" else "audio"
        assert networks <= {asset.name for asset in list_assets(groups=[f"metamers-checkpoints-{group}"])}
        matrices = [file for file in get_asset(experiment.human_asset).files if file.endswith(".mat")]
        assert len(matrices) == len(experiment.networks)
        assert all(any(f"_datamatrix_{n}_public.mat" in each for each in matrices) for n in experiment.networks)
        assert isinstance(get_asset(experiment.examples_asset).way, FromListing)
    assert sum(asset.name.startswith("human-") for asset in load_assets().values()) == len(load_metamer_experiments())


def test_hashes_are_those_of_the_published_files(shared_data):
    published = {name: sha for asset in load_assets().values() for name, sha in asset.published_hashes.items()}
    seen = 0
    for file in (shared_data / "human_recognition").glob("*.mat"):
        assert published[file.name] == hashlib.sha256(file.read_bytes()).hexdigest()
        way: Any = next(a.way for a in load_assets().values() if file.name in a.files)
        assert next(each.size for each in way.files if each.path == file.name) == file.stat().st_size
        seen += 1
    assert seen == 3


def test_patterns_groups_and_near_names():
    assert list_assets("kell2018", groups=["metamers-checkpoints*"])[0].name == "checkpoint-kell2018"
    assert len(list_assets("human-audio-?")) == 6
    assert not list_assets("nothing of this kind")
    with pytest.raises(UnknownNameError, match="'metamers-400-pictures'"):
        get_asset("metamers-400-picture")
    with pytest.raises(UnknownNameError, match="'metamers-human'"):
        list_assets(groups=["metamers-humans"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[[assets]]\nname="a"\ngroup="g"\nwhat="w"\n', "one way of getting.*0 for 'a'"),
        ('[[assets]]\nname="a"\ngroup="g"\nwhat="w"\nmodel="m"\nget_from="x"\n', "2 for 'a'"),
        ('[[assets]]\nname="a"\ngroup="g"\nwhat="w"\nmodel="m"\n' * 2, "'a' twice"),
    ],
)
def test_bad_manifests_are_refused(tmp_path, text, match):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(InputError, match=match):
        read_manifest(tmp_path / "x.toml")


# --- fetching ---------------------------------------------------------------------------------------------------


def make_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


SMALL = {f"set/{i}.txt": b"%d" % i for i in range(5)} | {"voxels/a.npy": b"aaaa", "voxels/b.npy": b"bb"}
LARGE = {f"{name}.pt": os.urandom(400_000) for name in ("one", "two", "three")}
FILES = {"x.mat": b"matrix", "deep/y.txt": b"table"}
CONDITIONS = ["0_orig/0_orig", "1_alexnet/0_relu0", "1_alexnet/1_final"]
LISTING = {
    "experiment_conditions": CONDITIONS,
    "examples_per_model_and_layer": {
        condition: [str(n) for n in (0, 3, 5) if n != 3 or "final" not in condition] for condition in CONDITIONS
    },
}


@pytest.fixture
def publisher(file_server, asset_home, tmp_path, monkeypatch):
    """A manifest of small assets, and a server that has them."""
    address = file_server.address
    server = file_server.files
    server["/small.tar"], server["/large.tar"] = make_tar(SMALL), make_tar(LARGE)
    server |= {f"/files/{name}": content for name, content in FILES.items()}
    server["/listing.json"] = json.dumps(LISTING).encode()
    for condition in CONDITIONS:
        network, stage = (part.partition("_")[2] for part in condition.split("/"))
        for n in (0, 3, 5):
            server[f"/examples/{condition}/{n}_{network}_{stage}.png"] = f"{condition} {n}".encode()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    listed = ", ".join(f'{{ path = "{n}", size = {len(c)}, sha256 = "{hashes[n]}" }}' for n, c in FILES.items())
    checkpoints = "".join(
        f'[[assets]]\nname="checkpoint-{n}"\ngroup="large"\nwhat="w"\narchive="large.tar"\nmembers=["{n}.pt"]\n'
        for n in ("one", "two", "three")
    )
    (tmp_path / "assets.toml").write_text(
        f"""
[[archives]]
name = "small.tar"
url = "{address}/small.tar"
size = 10_000
stated_in = "here"
[[archives]]
name = "large.tar"
url = "{address}/large.tar"
size = 1_200_000
stated_in = "here"
singly = true
[[assets]]
name = "pictures"
group = "small"
what = "w"
archive = "small.tar"
members = ["set"]
[[assets]]
name = "brains"
group = "small"
what = "w"
archive = "small.tar"
members = ["voxels/a.npy", "voxels/b.npy"]
{checkpoints}
[[assets]]
name = "human"
group = "files"
what = "w"
base = "{address}/files/"
files = [{listed}]
[[assets]]
name = "examples"
group = "files"
what = "w"
listing = "{address}/listing.json"
base = "{address}/examples/"
suffix = ".png"
chosen = [0, 3]
[[assets]]
name = "hand"
group = "files"
what = "w"
get_from = "https://example.org/landing"
[[assets]]
name = "net"
group = "files"
what = "w"
model = "torchvision:alexnet@IMAGENET1K_V1"
"""
    )
    monkeypatch.setattr(_manifest, "_DATA", tmp_path / "assets.toml")
    load_assets.cache_clear()
    yield file_server
    load_assets.cache_clear()


def read_tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "receipt.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_files_with_their_own_addresses(publisher):
    assert find_asset("human") is None and find_asset_state(get_asset("human")) == "absent"
    (done,) = fetch_assets(["human"])
    assert (done.outcome, done.path) == ("fetched", get_asset_folder("human")) and find_asset("human") == done.path
    assert read_tree(done.path) == FILES
    assert {(c.file, c.state, c.against) for c in verify_asset("human")} == {
        ("x.mat", "ok", "published"),
        ("deep/y.txt", "ok", "published"),
    }
    publisher.requests.clear()
    assert fetch_assets(["human"])[0].outcome == "kept" and not publisher.requests


def test_a_published_hash_that_does_not_fit_is_refused(publisher):
    publisher.files["/files/x.mat"] = b"Matrix"
    with pytest.raises(InputError, match=r"x\.mat of human.*removed.*its 2 files into .*human"):
        fetch_assets(["human"])
    assert find_asset("human") is None and not (get_asset_folder("human") / "x.mat").exists()


def test_folders_out_of_an_archive_that_is_fetched_once(publisher, caplog):
    caplog.set_level("INFO", "beholder")
    fetch_assets(["pictures", "brains"])
    assert publisher.sent_paths == ["/small.tar"]
    assert find_asset("pictures") == get_asset_folder("pictures") / "set"
    assert read_tree(get_asset_folder("pictures")) == {n: c for n, c in SMALL.items() if n.startswith("set/")}
    assert read_tree(get_asset_folder("brains")) == {"a.npy": b"aaaa", "b.npy": b"bb"}
    assert find_asset("brains") == get_asset_folder("brains")
    assert find_asset_file("b.npy") == get_asset_folder("brains") / "b.npy"
    assert name_asset_of("b.npy") == "brains" and name_asset_of("c.npy") is None and find_asset_file("c.npy") is None
    assert "small.tar is kept" in caplog.text and "may be removed" in caplog.text
    assert {c.against for c in verify_asset("pictures")} == {"receipt"}
    assert not [p for p in get_assets_folder().iterdir() if p.name.startswith(".tmp-")]


def test_one_checkpoint_of_a_large_archive_comes_without_the_rest(publisher):
    publisher.break_after = [10**9] * 4 + [150_000]  # four looks at headers, then the member
    (done,) = fetch_assets(["checkpoint-two"])
    assert find_asset("checkpoint-two") == done.path / "two.pt"
    assert (done.path / "two.pt").read_bytes() == LARGE["two.pt"]
    assert find_asset("checkpoint-one") is None
    assert not (get_assets_folder() / "archives").exists()
    spans = [r for _, r in publisher.requests][-2:]
    assert int(spans[1][6:].split("-")[0]) - int(spans[0][6:].split("-")[0]) == 150_000


def test_a_server_of_whole_files_sends_the_archive(publisher):
    publisher.knows_ranges = False
    fetch_assets(["checkpoint-two", "checkpoint-three"])
    assert (get_asset_folder("checkpoint-two") / "two.pt").read_bytes() == LARGE["two.pt"]
    assert (get_asset_folder("checkpoint-three") / "three.pt").read_bytes() == LARGE["three.pt"]
    assert publisher.sent_paths == ["/large.tar", "/large.tar"]  # the try for a part, the whole; then from disk


@pytest.mark.parametrize("name", ["pictures", "checkpoint-one"])
def test_an_archive_that_was_put_there_by_hand_is_used(publisher, name):
    archives = get_assets_folder() / "archives"
    archives.mkdir(parents=True)
    for archive in ("small.tar", "large.tar"):
        (archives / archive).write_bytes(publisher.files[f"/{archive}"])
    assert fetch_assets([name])[0].outcome == "fetched"
    assert find_asset(name) and not publisher.requests


def test_files_that_were_put_there_by_hand_are_used_and_noted(publisher):
    folder = get_asset_folder("checkpoint-one")
    folder.mkdir(parents=True)
    (folder / "one.pt").write_bytes(b"own")
    assert find_asset("checkpoint-one") == folder / "one.pt"
    assert [c.state for c in verify_asset("checkpoint-one")] == ["not known"]
    assert fetch_assets(["checkpoint-one"])[0].outcome == "kept" and not publisher.requests
    assert [c.state for c in verify_asset("checkpoint-one")] == ["ok"]
    assert json.loads((folder / "receipt.json").read_text())["fetched_from"] is None


def test_damage_is_seen(publisher):
    fetch_assets(["pictures", "human"])
    (get_asset_folder("pictures") / "set" / "0.txt").write_bytes(b"1")
    (get_asset_folder("pictures") / "set" / "1.txt").unlink()
    (get_asset_folder("pictures") / "set" / "new.txt").write_bytes(b"1")
    (get_asset_folder("human") / "x.mat").unlink()
    states = {c.file: c.state for c in verify_asset("pictures")}
    assert states == {
        "set/0.txt": "changed",
        "set/1.txt": "missing",
        "set/2.txt": "ok",
        "set/3.txt": "ok",
        "set/4.txt": "ok",
        "set/new.txt": "not known",
    }
    assert find_asset("human") is None
    assert {c.file: c.state for c in verify_asset("human")} == {"x.mat": "missing", "deep/y.txt": "ok"}
    fetch_assets(["human"])
    assert {c.state for c in verify_asset("human")} == {"ok"}


def test_hostile_archives_leave_nothing(publisher):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("set/a.txt", "../../evil"):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    publisher.files["/small.tar"] = buffer.getvalue()
    with pytest.raises(InputError, match="stay in their folder"):
        fetch_assets(["pictures"])
    assert find_asset("pictures") is None and not get_asset_folder("pictures").exists()
    assert not list(get_assets_folder().parent.parent.rglob("evil"))


def test_a_killed_run_is_cleared_up_and_taken_up_again(publisher):
    home = get_assets_folder()
    (home / ".tmp-pictures-123" / "set").mkdir(parents=True)
    (home / "archives").mkdir()
    (home / "archives" / "small.tar.part").write_bytes(publisher.files["/small.tar"][:5000])
    (home / "archives" / "small.tar.part.etag").write_text("Wed, 21 Oct 2015 07:28:00 GMT")
    fetch_assets(["pictures"])
    assert publisher.requests == [("/small.tar", "bytes=5000-")]
    assert len(read_tree(get_asset_folder("pictures"))) == 5
    assert not (home / ".tmp-pictures-123").exists()


def test_examples_of_chosen_stimuli_then_of_more(publisher):
    (done,) = fetch_assets(["examples"])
    files = {name for name in read_tree(done.path) if name != "experiment.json"}
    assert files == {
        "0_orig/0_orig/0_orig_orig.png",
        "0_orig/0_orig/3_orig_orig.png",
        "1_alexnet/0_relu0/0_alexnet_relu0.png",
        "1_alexnet/0_relu0/3_alexnet_relu0.png",
        "1_alexnet/1_final/0_alexnet_final.png",
    }
    publisher.requests.clear()
    assert fetch_assets(["examples"])[0].outcome == "kept" and not publisher.requests
    assert fetch_assets(["examples"], stimuli=[0, 5])[0].outcome == "fetched"
    assert sorted(publisher.sent_paths) == [
        f"/examples/{path}"
        for path in (
            "0_orig/0_orig/5_orig_orig.png",
            "1_alexnet/0_relu0/5_alexnet_relu0.png",
            "1_alexnet/1_final/5_alexnet_final.png",
        )
    ]
    assert {c.state for c in verify_asset("examples")} == {"ok"}
    with pytest.raises(InputError, match="numbers of stimuli that the experiment has; got 77"):
        fetch_assets(["examples"], stimuli=[77])


def test_examples_broken_off_are_taken_up_again(publisher):
    path = f"/examples/{CONDITIONS[2]}/0_alexnet_final.png"
    content = publisher.files.pop(path)
    with pytest.raises(InputError, match="404"):
        fetch_assets(["examples"])
    assert find_asset("examples") is None
    publisher.files[path] = content
    publisher.requests.clear()
    fetch_assets(["examples"])
    assert publisher.sent_paths == [path]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"experiment_conditions": ["../../evil/0_x"], "examples_per_model_and_layer": {}},
        {"experiment_conditions": ["0_a/../0_b"], "examples_per_model_and_layer": {}},
        {"experiment_conditions": ["a/b"], "examples_per_model_and_layer": {}},
        {"experiment_conditions": ["0_a/0_b"], "examples_per_model_and_layer": {"0_a/0_b": ["x"]}},
        {"experiment_conditions": ["0_a/0_b"], "examples_per_model_and_layer": {"0_a/0_b": ["1"]}},
    ],
)
def test_strange_listings_are_refused(document):
    with pytest.raises(InputError) as caught:
        list_example_files(document, ".png", [0])
    assert "\n" not in str(caught.value)


def test_what_cannot_be_fetched_says_where_to_get_it(publisher):
    with pytest.raises(InputError, match=r"no public address.*https://example\.org/landing.*putting its files there"):
        fetch_assets(["hand"])
    with pytest.raises(InputError, match="beholder models fetch torchvision:alexnet@IMAGENET1K_V1"):
        fetch_assets(["net"])
    with pytest.raises(InputError, match="beholder assets fetch human"):
        require_asset("human")
    get_asset_folder("hand").mkdir(parents=True)
    (get_asset_folder("hand") / "answers.csv").write_text("x")
    assert require_asset("hand") == get_asset_folder("hand")
    assert fetch_assets(["hand"])[0].outcome == "kept"
    assert [c.state for c in verify_asset("hand")] == ["ok"]
    assert not publisher.requests


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("human", r"x\.mat of human from .*/files/x\.mat; got an offline environment; try putting its 2 files into"),
        ("pictures", r"small\.tar .*holds pictures.*offline.*putting it at .*archives/small\.tar, or set into .*res"),
        ("checkpoint-one", r"one\.pt from .*large\.tar; got an offline.*putting it into .*-one, or the archive"),
        ("examples", r"examples from .*listing\.json; got an offline environment"),
    ],
)
def test_offline_says_which_file_and_where_to_put_it(publisher, monkeypatch, name, match):
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    with pytest.raises(InputError, match=match) as caught:
        fetch_assets([name])
    assert "\n" not in str(caught.value) and not publisher.requests


def test_of_several_the_rest_is_fetched(publisher, caplog):
    del publisher.files["/files/x.mat"]
    with pytest.raises(InputError, match="got 1, without human, hand"):
        fetch_assets(["human", "pictures", "hand"])
    assert find_asset("pictures") and "404" in caplog.text


def test_a_full_disk_is_told_before(publisher, monkeypatch):
    monkeypatch.setattr(_fetch.shutil, "disk_usage", lambda place: Usage(1, 1, 9_000))
    with pytest.raises(OutputError, match=r"20 kB of room for small\.tar.*9\.0 kB.*BEHOLDER_HOME"):
        fetch_assets(["pictures"])
    assert not publisher.requests


class Usage(tuple):
    def __new__(cls, total, used, free):
        made: Any = super().__new__(cls, (total, used, free))
        made.free = free
        return made


def test_the_folder_of_downloads(monkeypatch, tmp_path):
    monkeypatch.delenv("BEHOLDER_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert get_assets_folder() == tmp_path / "beholder" / "assets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert get_assets_folder() == Path.home() / ".cache" / "beholder" / "assets"
    monkeypatch.setenv("BEHOLDER_HOME", "~/place")
    assert get_asset_folder("imi") == Path.home() / "place" / "assets" / "imi"


def test_ways_cover_the_kinds():
    assert {type(asset.way) for asset in load_assets().values()} == {
        FromArchive,
        FromFiles,
        FromListing,
        WithModel,
        ByHand,
    }
