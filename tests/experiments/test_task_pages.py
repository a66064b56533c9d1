"""The page that another package brings for its kind of task is served from its own place, and is in static pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from tests.testing.toy.toy_kind import BRIGHTER

from beholder._core.errors import InputError, UnknownNameError
from beholder.experiments import TaskPage, build_tasks, read_texts, register_task_kind, write_static_pages
from beholder.experiments.flow._page_files import STATIC, list_page_files
from beholder.responses import TASK_KINDS

from .person import Person, serving
from .test_task_kinds import write_pictures

OURS = {"js/trials/kinds.js", "texts.en.json", "beholder.css"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The toy kind with a copy of its page, the folder."""
    assert isinstance(BRIGHTER.page, TaskPage)
    folder = copytree(BRIGHTER.page.folder, tmp_path / "site" / "brighter")
    monkeypatch.setattr(TASK_KINDS, "_entries", dict(TASK_KINDS._entries))
    register_task_kind(replace(BRIGHTER, page=replace(BRIGHTER.page, folder=folder)))
    yield folder


@pytest.fixture
def built(tmp_path: Path, page: Path) -> Path:
    source = write_pictures(tmp_path / "pictures")
    return build_tasks(BRIGHTER.load_planner()([source], tmp_path, n_tasks=1), tmp_path / "built").path


def test_files_of_the_page_are_served_beside_ours_and_nothing_else_of_their_folder(
    built: Path, page: Path, tmp_path: Path
) -> None:
    (page / "notes.txt").write_text("for the laboratory alone")
    (page / "more").mkdir()
    (page / "more" / "deep.js").write_text("export const deep = 1;\n")
    (page.parent / "beside.js").write_text("export const secret = 1;\n")
    with serving(built, tmp_path / "answers.db") as (client, _):
        types = {}
        for name in ("page.js", "sides.js", "sun.svg"):
            answer = client.get(f"/static/kinds/brighter/{name}")
            assert answer.status_code == 200 and answer.content == (page / name).read_bytes()
            assert "script-src 'self';" in answer.headers["content-security-policy"]
            assert (
                answer.headers["cache-control"] == "no-cache" and answer.headers["x-content-type-options"] == "nosniff"
            )
            types[name] = answer.headers["content-type"].partition(";")[0]
        assert types == {"page.js": "text/javascript", "sides.js": "text/javascript", "sun.svg": "image/svg+xml"}
        refused = (
            "notes.txt", "more/deep.js", "style.css", "texts.en.json", "", "../beside.js", "%2e%2e/beside.js",
            "..%2fbeside.js", "../brighter/notes.txt", "page.js/", "PAGE.JS",
        )  # fmt: skip
        for name in refused:
            assert client.get(f"/static/kinds/brighter/{name}").status_code == 404, name
        table = client.get("/static/js/trials/kinds.js").text
        assert 'import { Brighter } from "../../kinds/brighter/page.js";' in table
        texts = client.get("/static/texts.en.json").json()
        ours = json.loads((STATIC / "texts.en.json").read_text(encoding="utf-8"))
        assert texts["brighter"]["left"] == "left picture" and texts["consent"] == ours["consent"]
        assert texts["instructions"] == {**ours["instructions"], **texts["instructions"]}
        style = client.get("/static/beholder.css").text
        assert style.startswith((STATIC / "beholder.css").read_text(encoding="utf-8")) and ".brighter .sun" in style
        script = client.get("/static/js/main.js").text
        assert "const kinds_brighter_page = (() => {" in script and "js_trials_similarity" not in script
        assert Person(client).begin()["step"] == "trials"


def test_our_kinds_serve_the_files_that_lie_there() -> None:
    assert list_page_files("odd_one_out") == {}


def test_what_is_served_stays_what_it_was_when_the_server_began(built: Path, page: Path, tmp_path: Path) -> None:
    with serving(built, tmp_path / "answers.db") as (client, _):
        before = (page / "page.js").read_bytes()
        (page / "page.js").unlink()
        assert client.get("/static/kinds/brighter/page.js").content == before


def test_pages_without_a_server_hold_the_page(built: Path) -> None:
    from beholder.experiments import read_experiment

    (path,) = write_static_pages(read_experiment(built))
    text = path.read_text(encoding="utf-8")
    assert "class Brighter extends TrialPlugin" in text and ".brighter .sun" in text
    assert "left picture" in text and '"kinds/brighter/sun.svg":"data:image/svg+xml;base64,' in text
    assert "class OddOneOut" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folder": Path("nowhere")}, "the folder of a kind of task's page; got none at"),
        ({"module": "absent.js"}, "a module and its class for the page of brighter; got Brighter of"),
        ({"plugin": "Brighter } from"}, "a module and its class"),
    ],
)
def test_a_page_that_is_not_there_is_refused(change: dict[str, object], message: str, page: Path) -> None:
    TASK_KINDS.add("brighter", replace(BRIGHTER, page=replace(BRIGHTER.page, **change)))  # type: ignore[type-var, arg-type]
    with pytest.raises(InputError, match=message):
        list_page_files("brighter")


def test_files_that_could_not_be_served_safely_are_refused(page: Path) -> None:
    (page / "two words.js").write_text("")
    with pytest.raises(InputError, match=r"names of letters, digits and _ for files of a page; got two words\.js"):
        list_page_files("brighter")
    (page / "two words.js").unlink()
    (page / "link.js").symlink_to(page.parent / "outside.js")
    (page.parent / "outside.js").write_text("export const secret = 1;\n")
    with pytest.raises(InputError, match=r"files of a page that lie in its folder; got link\.js"):
        list_page_files("brighter")


def test_texts_in_another_language_may_name_those_of_the_page(page: Path, tmp_path: Path) -> None:
    path = tmp_path / "de.json"
    path.write_text('{"brighter": {"left": "linkes Bild"}}')
    assert read_texts(path, "brighter") == {"brighter.left": "linkes Bild"}
    with pytest.raises(UnknownNameError, match="text of the pages"):
        read_texts(path)
