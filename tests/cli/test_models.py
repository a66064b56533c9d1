"""``beholder models`` and ``beholder layers``: names, weights ahead of time, patterns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


def test_fetching_says_where_the_weights_are(beholder: Command) -> None:
    code, out, _ = beholder("models", "fetch", "beholder:shapes", "torchvision:squeezenet1_1@random")
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith("beholder:shapes@v2: ") and first.endswith("shapes-v2.safetensors")
    assert second == "torchvision:squeezenet1_1@random: no file, the weights are drawn by the seed"
    code, out, _ = beholder("models", "fetch", "torchvision:squeezenet1_1@random", "--json")
    assert code == 0 and json.loads(out)["weights"][0]["file"] is None


def test_weights_that_cannot_be_fetched_are_named_after_the_others(
    beholder: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    code, _, err = beholder("models", "fetch", "alexnet", "beholder:shapes", "cornet:S")
    lines = err.splitlines()
    assert code == 2 and "expected the weights of alexnet, cornet:S" in lines[-1]
    assert any("alexnet-owt-7be5be79.pth" in line for line in lines)
    assert any("cornet_s-1d3f7974.pth" in line for line in lines)


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", "truncated", b"hello"])
def test_fetching_is_no_success_when_the_cache_holds_no_weights(
    beholder: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | str
) -> None:
    import torch
    from torchvision.models import squeezenet1_1

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "a b"))
    file = tmp_path / "a b" / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
    file.parent.mkdir(parents=True)
    torch.save(squeezenet1_1().state_dict(), file)
    assert beholder("models", "fetch", "squeezenet1_1")[0] == 0
    file.write_bytes(file.read_bytes()[:-1000] if isinstance(content, str) else content)
    code, _, err = beholder("models", "fetch", "squeezenet1_1")
    assert code == 2 and str(file) in err and "`beholder models fetch torchvision:squeezenet1_1" in err, err


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("block[12].conv", ["block1.conv", "block2.conv"]),
        ("block*.relu:in", [f"block{i}.relu:in" for i in range(1, 6)]),
        ("block[45]", ["block4", "block5"]),
    ],
)
def test_patterns_are_those_of_extract(
    beholder: Command, place: Path, tmp_path: Path, pattern: str, expected: list[str]
) -> None:
    code, out, _ = beholder("layers", "beholder:shapes", "--pattern", pattern, "--json")
    assert code == 0 and [layer["path"] for layer in json.loads(out)["layers"]] == expected
    command = ["extract", "-m", "beholder:shapes", "--in_path", place / "images", "--out_path", tmp_path]
    code, out, _ = beholder(*command, "--module_name", pattern, "--json")
    assert code == 0 and [layer["layer"] for layer in json.loads(out)["layers"]] == expected


def test_checkpoints_go_out_and_come_in(tmp_path, beholder):
    code, out, err = beholder("models", "export", "beholder:shapes", str(tmp_path / "shapes.pt"))
    assert (code, out.strip()) == (0, str(tmp_path / "shapes.pt")), err
    target = str(tmp_path / "back.safetensors")
    names = tmp_path / "names.txt"
    names.write_text("".join(f"class {i}\n" for i in range(16)))
    words = ["models", "import", str(tmp_path / "shapes.pt"), "beholder:shapes", target]
    code, out, err = beholder(*words, "--classes", str(names), "--licence", "CC0-1.0")
    assert (code, out.strip()) == (0, target), err
    code, out, err = beholder("models", "card", target)
    assert code == 0 and "license: CC0-1.0" in out and "class 15" in out, err
    code, out, err = beholder("models", "card", str(tmp_path / "shapes.pt"))
    assert code == 2 and "which has none" in err and len(err.strip().splitlines()) == 1
