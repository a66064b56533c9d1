"""Section kind: ``provenance.json``, folded and copyable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import final

from beholder._core.errors import InputError
from beholder._core.files import read_json
from beholder._core.provenance import FILE_NAME
from beholder.report._section import Page, Section, SectionKind, find_files


@final
class ProvenanceKind(SectionKind):
    """Where the outputs of a folder came from."""

    def find(self, folder: Path) -> list[Path]:
        """Provenance files."""
        return find_files(folder, FILE_NAME)

    def render(self, item: Path, page: Page) -> Section:
        """The file itself, to copy."""
        content = read_json(item)
        outputs = content.get("outputs") if isinstance(content, dict) else None
        if not isinstance(outputs, dict):
            raise InputError("a provenance file, an object with outputs", got=str(item))
        finished = max((str(entry.get("finished", "")) for entry in outputs.values()), default="")
        versions = {name: version for entry in outputs.values() for name, version in entry.get("versions", {}).items()}
        told = ", ".join(f"{name} {versions[name]}" for name in ("beholder", "torch", "numpy") if name in versions)
        where = item.parent.relative_to(page.folder).as_posix()
        place = "do these results come" if where == "." else f"does {where}/ come"
        names = ["everything here" if name == "." else name for name in outputs]
        made = ", ".join(names) if len(names) <= 4 else f"{len(names)} outputs"
        made = made[:1].upper() + made[1:] if made.startswith("everything") else made
        return Section(
            title=f"Where {place} from?",
            answer=f"{made}: finished {finished[:16].replace('T', ' ')} UTC{f', with {told}' if told else ''}.",
            text=json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False),
            order=900,
            facts={"date": finished},
        )
