"""Golden digests on disk, and what differs from them, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.golden.reading import Parts, describe_machine

FOLDER = Path(__file__).parent / "digests"
MACHINE = ("/machine.json", "/machine.json.copy")
"""Hold what kind of machine this is, and nothing else."""
AGAIN = "python tools/write_golden.py"
"""Writes them anew."""


def write_digests(name: str, said: list[dict[str, Any]], files: Mapping[str, Parts]) -> Path:
    """Write a group's digests: a line for each command and file."""
    lines = [f'"machine": {json.dumps(describe_machine())}']
    for key, table in (("commands", {each["line"]: each["out"] for each in said}), ("files", files)):
        rows = [f"  {json.dumps(each)}: {json.dumps(value)}" for each, value in sorted(table.items())]
        lines.append(f'"{key}": {{\n' + ",\n".join(rows) + "\n}")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return path


def read_digests(name: str) -> dict[str, Any]:
    """A group's digests."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def list_differences(
    golden: Mapping[str, Any], said: list[dict[str, Any]], files: Mapping[str, Parts]
) -> Iterator[str]:
    """A line for each command and file that is not as it was; raw bytes count on the machine that wrote them alone."""
    same_machine = golden["machine"] == describe_machine()
    outs = {each["line"]: each["out"] for each in said}
    for line in sorted(outs.keys() | golden["commands"].keys()):
        before, now = golden["commands"].get(line), outs.get(line)
        if before is None or now is None or strip(before, same_machine) != strip(now, same_machine):
            yield f"beholder {line}: printed\n{now}\ninstead of\n{before}"
    for name in sorted(files.keys() | golden["files"].keys()):
        before, now = golden["files"].get(name), files.get(name)
        if before is None or now is None:
            yield f"{name}: {'new' if before is None else 'gone'}"
            continue
        parts = [part for part in [*before, *(p for p in now if p not in before)] if before.get(part) != now.get(part)]
        if not same_machine or name.endswith(MACHINE):
            parts = [part for part in parts if part != "bytes"]
        if parts:
            more = f" and {len(parts) - 8} more" if len(parts) > 8 else ""
            yield f"{name}: other {', '.join(parts[:8])}{more}"


def strip(text: str, same_machine: bool) -> str:
    """What a command printed, without numbers that another machine may print otherwise."""
    return text if same_machine else re.sub(r"\s+", " ", re.sub(r"\d[\d.e+-]*", "#", text))
