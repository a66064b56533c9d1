"""What every command writes is what it wrote: files by digest, part by part."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.golden.compare import AGAIN, list_differences, read_digests
from tests.golden.reading import describe_machine
from tests.golden.runs import GROUPS, Group, digest_group, run_group
from tests.golden.texts import FOLDER, TEXTS

from beholder._core.files import write_json

EVERY_FORMAT = True


@pytest.mark.parametrize("name", GROUPS)
def test_outputs_are_what_they_were(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    said = run_group(GROUPS[name], folder)
    found = list(list_differences(read_digests(name), said, digest_group(GROUPS[name], folder)))
    hint = f"\nmeant? `{AGAIN} {name}` writes the digests anew; the files are in {folder}"
    assert not found, "\n".join(found) + hint


@pytest.mark.parametrize("name", TEXTS)
def test_what_users_type_and_read_is_what_it_was(name: str, tmp_path: Path) -> None:
    before = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    now = "\n".join(TEXTS[name](tmp_path)).splitlines()
    found = list(difflib.unified_diff(before, now, "before", "now", lineterm="", n=1))
    assert not found, "\n".join(found) + f"\nmeant? `{AGAIN} {name}` writes the text anew"


def test_a_difference_names_the_file_and_the_part(tmp_path: Path) -> None:
    """So that none of this passes because it looks at nothing."""
    group = Group(("stimuli grade --grade contrast --levels 0.25 1 -ip images/circle -op out",))
    said = run_group(group, tmp_path / "run")
    before = json.loads(json.dumps({
        "machine": describe_machine(),
        "commands": {each["line"]: each["out"] for each in said},
        "files": digest_group(group, tmp_path / "run"),
    }))  # fmt: skip

    def compare(golden: dict[str, Any] = before) -> list[str]:
        return list(list_differences(golden, said, digest_group(group, tmp_path / "run")))

    assert compare() == []
    table, provenance = tmp_path / "run" / "out" / "stimuli.csv", tmp_path / "run" / "out" / "provenance.json"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("contrast", "kontrast"), encoding="utf-8")
    assert compare() and compare()[0].startswith("out/stimuli.csv: other "), compare()
    table.write_text(text, encoding="utf-8")
    document = json.loads(provenance.read_text(encoding="utf-8"))
    document["outputs"]["."]["finished"] = "later"
    write_json(provenance, document)
    assert compare() == [], "times do not count"
    document["outputs"]["."]["settings"]["grade"] = "other"
    write_json(provenance, document)
    assert compare() == ["out/provenance.json: other outputs:"]
    write_json(provenance, json.loads(json.dumps(document).replace('"other"', '"contrast"')))
    picture = sorted((tmp_path / "run" / "out").rglob("*.png"))[0]
    with Image.open(picture) as image:
        pixels = image.convert("RGB")
    pixels.save(picture, compress_level=0)
    assert [line.rpartition(": ")[2] for line in compare()] == ["other bytes"]
    elsewhere = before | {"machine": {"processor": "another"}}
    assert compare(elsewhere) == [], "how a library packs the same pixels counts on one machine alone"
    pixels.putpixel((0, 0), (1, 2, 3))
    pixels.save(picture)
    assert [line.rpartition(": ")[2] for line in compare(elsewhere)] == ["other pixels"]
    picture.unlink()
    assert "other names" in compare(elsewhere)[0]
