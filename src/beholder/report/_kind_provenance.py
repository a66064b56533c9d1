"""Section kind: ``provenance.json``, folded and copyable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, final

from beholder._core.errors import BeholderError, InputError
from beholder._core.files import read_json
from beholder._core.places import find_hosts, hide_places_in
from beholder._core.provenance import FILE_NAME
from beholder._core.wording import format_count
from beholder.report._section import SECTIONS, Page, Section, SectionKind, find_files

_MOST_TEXT = 250_000


@SECTIONS.register("provenance")
@final
class ProvenanceKind(SectionKind):
    """Where everything on the page came from: one section for all folders."""

    turn = 80

    def find(self, folder: Path) -> list[Path]:
        """The folder itself, if any provenance file lies in it."""
        return [folder] if find_files(folder, FILE_NAME) else []

    def render(self, item: Path, page: Page) -> Section:
        """The files themselves, to copy."""
        contents: dict[str, Any] = {}
        warnings = []
        for path in find_files(item, FILE_NAME):
            name = path.relative_to(page.folder).as_posix()
            try:
                contents[name] = _read(path)
            except (BeholderError, OSError, ValueError) as error:
                warnings.append(f"{name} could not be read: {error}")
        made = [
            (name if Path(folder).parent == Path() else (Path(folder).parent / name).as_posix(), entry)
            for folder, content in contents.items()
            for name, entry in content["outputs"].items()
            if isinstance(entry, dict)
        ]
        finished = max((str(entry.get("finished", "")) for _, entry in made), default="")
        versions = {name: version for _, entry in made for name, version in _get_versions(entry).items()}
        told = ", ".join(f"{name} {versions[name]}" for name in ("beholder", "torch", "numpy") if name in versions)
        names = ["Everything here" if name == "." else name for name, _ in made]
        what = ", ".join(names) if len(names) <= 4 else f"{format_count(len(names), 'output')}"
        shown = contents if len(contents) > 1 else next(iter(contents.values()), {})
        shown = hide_places_in(shown, page.folder, find_hosts(shown))
        when = f": finished {finished[:16].replace('T', ' ')} UTC{f', with {told}' if told else ''}." if made else ""
        return Section(
            title="Where do these results come from?",
            answer=f"{what}{when}",
            text=json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False)[:_MOST_TEXT],
            warnings=tuple(warnings),
            method="Paths on the machine that made these, and its name, are left out here: provenance.json has them.",
            order=900,
            facts={"date": finished},
        )


def _get_versions(entry: dict[str, Any]) -> dict[str, Any]:
    versions = entry.get("versions")
    return versions if isinstance(versions, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("outputs"), dict):
        raise InputError("a provenance file, an object with outputs", got=str(path))
    return content
