"""Hook for mkdocs: pages that lie outside of ``docs/``, folders in the navigation, prompts and flags in one piece.

``FOLDER/*`` in the navigation of ``mkdocs.yml`` stands for the pages of a folder, those that other hooks make included:
``index.md`` first, then by name; a folder in it is a section, or its one page. Where there are none, so is the entry.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

OUTSIDE = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages of the site whose text is a file of the repository."""

_ERROR_AFTER_PROMPT = re.compile(r"^```text\n(?=\$ )", re.MULTILINE)
_BETWEEN_LINES = re.compile(r"\s*\n\s*")
_CODE = re.compile(r"<pre>.*?</pre>|<code>.*?</code>", re.DOTALL)
_FLAG = re.compile(r"(?<=[ >])(--?[a-zA-Z][\w-]*)")
_MEANINGS = re.compile(r"<table>(?=\s*<thead>\s*<tr>\s*<th>(?:name|flag)</th>).*?</table>", re.DOTALL)


@event_priority(-100)  # after hooks that make pages
def on_files(files: Files, config: MkDocsConfig, **_: object) -> Files:
    """Add the pages of other places, and write folders of the navigation out."""
    root = PurePosixPath(config.config_file_path or "").parent
    for page, source in OUTSIDE.items():
        with open(root / source, encoding="utf-8") as file:
            files.append(File.generated(config, page, content=place_links(file.read())))
    pages = [file.src_uri for file in files.documentation_pages() if file.inclusion.is_in_nav()]
    config.nav = expand(config.nav or [], pages)
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Commands with what they print are sessions, so that copy buttons give the commands alone."""
    return _ERROR_AFTER_PROMPT.sub("```console\n", markdown)


def on_page_content(html: str, **_: object) -> str:
    """Flags are never broken after a hyphen; tables of names and flags become lists where there is no room."""
    html = _MEANINGS.sub(lambda table: f'<div class="meanings">{table[0]}</div>', html)
    return _CODE.sub(lambda code: _FLAG.sub(r'<span class="flag">\1</span>', code[0]), html)


def on_post_page(output: str, **_: object) -> str:
    """The navigation without the room that its templates leave between lines, half of a page."""
    before, mark, after = output.partition("<article")
    return _BETWEEN_LINES.sub("\n", before) + mark + after


def on_post_build(config: MkDocsConfig, **_: object) -> None:
    """What the theme brings for its developers, and for languages that no page is in, is left out."""
    assets = Path(config.site_dir, "assets")
    for path in [*assets.rglob("*.map"), *assets.glob("javascripts/lunr/**/*.js")]:
        path.unlink()


def place_links(text: str) -> str:
    """Links of a file of the repository, seen from ``docs/``."""
    return re.sub(r"\]\(docs/", "](", text)


def expand(nav: list[Any], pages: list[str]) -> list[Any]:
    """A navigation with its ``FOLDER/*`` written out; sections that come out empty are left out."""
    found: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and entry.endswith("/*"):
            found += list_folder(entry.removesuffix("/*"), pages)
        elif isinstance(entry, dict):
            for title, value in entry.items():
                value = expand(value, pages) if isinstance(value, list) else value
                found += [{title: value}] if value else []
        else:
            found.append(entry)
    return found


def list_folder(folder: str, pages: list[str]) -> list[Any]:
    """Navigation of a folder: its ``index.md``, its pages by name, then its folders."""
    below = [PurePosixPath(page).relative_to(folder) for page in pages if page.startswith(f"{folder}/")]
    here = [path.name for path in below if len(path.parts) == 1]
    here.sort(key=lambda name: (name != "index.md", name.lower()))
    folders = sorted({path.parts[0] for path in below if len(path.parts) > 1})
    inside = {name.replace("_", " "): list_folder(f"{folder}/{name}", pages) for name in folders}
    return [f"{folder}/{name}" for name in here] + [
        {name: found[0] if len(found) == 1 and isinstance(found[0], str) else found} for name, found in inside.items()
    ]
