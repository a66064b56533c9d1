"""Files of the pages: libraries as they were fetched, every text where it is asked for, scripts that can be joined."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from tests.browser.built_folders import build_folder

from beholder._core.errors import InputError, UnknownNameError
from beholder.experiments import PRESETS, get_preset, read_texts
from beholder.experiments.build._bundle import STATIC, bundle_scripts
from beholder.experiments.flow._texts import flatten_texts
from beholder.stimuli import load_categories

from .person import serving

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
TEXTS = json.loads((STATIC / "texts.en.json").read_text(encoding="utf-8"))


def list_leaves(node: object, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [prefix.rstrip(".")]
    return [leaf for key, value in node.items() for leaf in list_leaves(value, f"{prefix}{key}.")]


@pytest.mark.parametrize("folder", [STATIC / "vendor", ROOT / "tests" / "browser" / "vendor"])
def test_libraries_are_as_they_were_fetched(folder: Path) -> None:
    noted = json.loads((folder / "vendor.json").read_text(encoding="utf-8"))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "vendor.json"
    }
    assert found == noted["sha256"]
    assert any("license" in name for name in found)
    assert re.fullmatch(r"sha512-[\w+/]{86}==", noted["integrity"])
    assert b"@font-face" not in b"".join(path.read_bytes() for path in folder.glob("*.css"))


def test_wheel_packs_the_pages_and_their_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["project"]["license-files"]
    licence = ROOT / "src" / "beholder" / "experiments" / "static" / "vendor" / "jspsych.license.txt"
    assert any(licence in set(ROOT.glob(pattern)) for pattern in patterns)
    assert (STATIC / "vendor" / licence.name).read_bytes() == licence.read_bytes()
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["src/beholder"]}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert not {"*.js", "*.svg", "vendor/", "static/"} & set(ignored)


def find_asked() -> tuple[set[str], list[re.Pattern[str]]]:
    """Texts that scripts ask for: by whole names, and by names with parts that are filled in."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    names = set(re.findall(r'"([a-z0-9_]+(?:\.[a-z0-9_]+)+|[a-z]+)"', source))
    templates = [text for text in re.findall(r"`([^`\s]*\$\{[^`\s]*)`", source) if "." in text]
    return names, [re.compile(re.sub(r"\\\$\\\{.*?\\\}", r"[\\w.]+", re.escape(text))) for text in templates]


def test_every_text_that_is_asked_for_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    asked = set(re.findall(r'\b(?:t|look)\("([\w.]+)"', source))
    known = set(list_leaves(TEXTS))
    assert len(asked) > 60
    assert not {name for name in asked if name not in known and not any(leaf.startswith(f"{name}.") for leaf in known)}


def test_every_text_is_asked_for() -> None:
    names, patterns = find_asked()
    spare = [
        leaf for leaf in list_leaves(TEXTS)
        if leaf not in names and not any(pattern.fullmatch(leaf) for pattern in patterns)
        and not leaf.startswith(("instructions.", "labels.", "lang", "dir"))
    ]  # fmt: skip
    assert spare == []


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_pages_of_instructions(name: str) -> None:
    settings = get_preset(name)
    pages = TEXTS["instructions"][settings.kind]
    for page in settings.instructions:
        assert pages[page]["heading"]
        assert all(isinstance(text, str) for text in pages[page]["body"])


def test_every_figure_that_a_page_names_is_drawn() -> None:
    source = (STATIC / "js" / "figures.js").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^  (\w+)(?::|,$)", source[source.index("const ITEMS") :], re.MULTILINE))
    asked = {
        page["figure"] for pages in TEXTS["instructions"].values() if isinstance(pages, dict)
        for page in pages.values() if "figure" in page
    }  # fmt: skip
    assert asked
    assert asked <= drawn


def test_categories_have_icons_and_names() -> None:
    source = (STATIC / "js" / "icons.js").read_text(encoding="utf-8")
    drawn = set(re.search(r'^  "([\w ]+)"', source, re.MULTILINE)[1].split())  # type: ignore[index]
    assert drawn == {path.stem for path in (STATIC / "icons").glob("*.svg")} == set(load_categories())
    for name in load_categories():
        assert TEXTS["labels"][name]
        assert (STATIC / "icons" / f"{name}.svg").read_text(encoding="utf-8").startswith("<svg")
        with Image.open(STATIC / "icons" / f"{name}.png") as picture:
            assert picture.size == (256, 256)


def test_icons_and_shell_ask_for_nothing_elsewhere() -> None:
    for path in [*(STATIC / "icons").glob("*.svg"), *SCRIPTS, STATIC / "index.html", STATIC / "beholder.css"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for address in re.findall(r"""["'(](https?://\w[^"'\s)\\]*)""", text):
            assert re.match(r"https://(www|workersandbox)\.mturk\.com", address), (path.name, address)


def test_scripts_are_joined_in_the_order_in_which_they_need_each_other() -> None:
    script = bundle_scripts()
    names = re.findall(r"^const (js_\w+) = \(\(\) => \{$", script, re.MULTILINE)
    used = [
        re.findall(r"= (js_\w+);", part)
        for part in re.split(r"^const js_\w+ = \(\(\) => \{$", script, flags=re.MULTILINE)[1:]
    ]
    assert len(names) == len(set(names)) > 25
    for k, needed in enumerate(used):
        assert set(needed) <= set(names[:k])
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_a_served_page_asks_for_its_modules_at_once(tmp_path: Path) -> None:
    build_folder(tmp_path / "built", "similarity", 1)
    with serving(tmp_path / "built", tmp_path / "answers.db") as (client, _):
        answer = client.get("/static/js/main.js")
        assert answer.text == bundle_scripts("js/main.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        again = client.get("/static/js/main.js", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
        assert client.get("/static/js/main.js", headers={"If-None-Match": '"another"'}).content == answer.content


def test_scripts_of_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import * as b from "./b.js";\n', encoding="utf-8")
    with pytest.raises(InputError, match="on one line"):
        bundle_scripts("a.js", tmp_path)
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\n', encoding="utf-8")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = 1;\n', encoding="utf-8")
    with pytest.raises(InputError, match="circle"):
        bundle_scripts("a.js", tmp_path)


def test_texts_of_another_language_are_checked(tmp_path: Path) -> None:
    english = read_texts()
    assert english == flatten_texts(TEXTS)
    assert set(english) == set(list_leaves(TEXTS))
    path = tmp_path / "texts.de.json"
    path.write_text(json.dumps({"leave": {"yes": "Ja"}, "instructions": {"2afc": {"ours": {"body": ["A", "B"]}}}}))
    assert read_texts(path) == {"leave.yes": "Ja", "instructions.2afc.ours.body": "A\n\nB"}
    path.write_text(json.dumps({"leave": {"yess": "Ja"}}))
    with pytest.raises(UnknownNameError, match=r"leave\.yes"):
        read_texts(path)
    path.write_text(json.dumps({"leave": {"yes": 1}}))
    with pytest.raises(InputError, match=r"leave\.yes: int"):
        read_texts(path)
