"""What is made to be passed on tells no paths and no hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholder._core.places import find_hosts, hide_places, hide_places_in


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("expected a file; got /home/me/x/a.png.", "expected a file; got …/a.png."),
        ("--in_path=/Users/me/pictures", "--in_path=…/pictures"),
        ("'/scratch/lab7/My Pictures/a.png'", "'…/My Pictures/a.png'"),
        ("file:/home/me/net.py@main", "file:…/net.py@main"),
        ("file:///home/me/net.py", "file:…/net.py"),
        ("timm:net@/gpfs/weights/a.pt", "timm:net@…/a.pt"),
        (r"C:\Users\me\a.png and D:/data/b.png", "…/a.png and …/b.png"),
        (r"\\server\share\a.png", "…/a.png"),
        ("--cluster dask:tcp://10.0.0.5:8786 --layers a", "--cluster dask:… --layers a"),
        ("in /tmp", "in …/tmp"),
        # what is no place stays
        ("/{model}/{stimulus}/{layer} holds one", "/{model}/{stimulus}/{layer} holds one"),
        ("/ResNet50/a/conv1, and/or, 3/4, 12 s/step", "/ResNet50/a/conv1, and/or, 3/4, 12 s/step"),
        (
            "https://osf.io/home/x, s3://bucket/data/y, s3:/bucket/z",
            "https://osf.io/home/x, s3://bucket/data/y, s3:/bucket/z",
        ),
        ("stimuli/home/a.png, ../data/b, ~/data, ./tmp/x", "stimuli/home/a.png, ../data/b, ~/data, ./tmp/x"),
        (r"\frac{1}{2} and \n", r"\frac{1}{2} and \n"),
    ],
)
def test_places_are_hidden_and_nothing_else(text: str, hidden: str) -> None:
    assert hide_places(text) == hidden
    assert hide_places(hidden) == hidden


def test_a_place_in_the_folder_is_told_from_there(tmp_path: Path) -> None:
    assert hide_places(f"got {tmp_path}/sub/a.png, {tmp_path}; {tmp_path}x/b", tmp_path) == (
        f"got sub/a.png, {tmp_path.name}; …/b"
    )


def test_a_provenance_loses_hosts_and_paths_with_spaces(tmp_path: Path) -> None:
    told = {
        "outputs": {
            "/srv/x": {
                "command": "beholder extract --in_path '/home/me/My Pictures' --cluster dask:tcp://head:1",
                "machine": {"node": "lab-gpu-3", "system": "Linux", "cores": 8},
                "settings": {
                    "root": "/mnt/My Pictures/all",
                    "layers": ["conv1"],
                    "n": 3,
                    "notes": ["made on lab-gpu-3"],
                },
            }
        }
    }
    shown = hide_places_in(told, tmp_path, find_hosts(told))
    (entry,) = shown["outputs"].values()
    assert list(shown["outputs"]) == ["…/x"]
    assert entry["machine"] == {"system": "Linux", "cores": 8}
    assert entry["settings"] == {"root": "…/all", "layers": ["conv1"], "n": 3, "notes": ["made on …"]}
    assert "/home" not in entry["command"] and "head" not in entry["command"]
    assert told["outputs"]["/srv/x"]["machine"]["node"] == "lab-gpu-3", "the original is untouched"
