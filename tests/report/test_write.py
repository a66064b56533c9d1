import contextlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from PIL import Image

from beholder._core.errors import InputError
from beholder._core.provenance import record_provenance
from beholder.cli.report import app
from beholder.figures import FigureRecord, plot_accuracy, save_figure
from beholder.report import SECTIONS, Section, SectionKind, _write, write_rdms, write_report
from beholder.report._embed import Budget, embed_picture
from beholder.report._gallery import _pick_evenly
from beholder.report._write import collect_sections, describe_page

HOSTILE = '<script>alert("x")</script>'


class Reader(HTMLParser):
    """Elements, the words outside scripts, and what asks for a file."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.sources, self.links, self.alts, self._open = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self._open.append(tag)
        if tag == "img":
            self.alts.append(attrs.get("alt"))
        self.sources += [attrs[name] for name in ("src", "srcset", "poster", "data") if name in attrs]
        self.links += [attrs["href"]] if "href" in attrs else []

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._open):
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(filter(None, self.words))


def make_figure_files(folder, name="accuracy", **words):
    ax: Any = plot_accuracy([1, 2], [2, 2], ["dog", "cat"])
    record = FigureRecord(**({"title": "Who is right?", "answer": "Half of them.", "alt": "Dots."} | words))  # pyright: ignore[reportArgumentType]
    save_figure(ax.figure, folder / name, table={"category": ["dog", "cat"], "n": [1, 2]}, record=record)


def make_pictures(folder, names):
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 200), (index * 40 % 256, 90, 160)).save(path)


def make_store(path, *, complete=True):
    root = zarr.open_group(path, mode="w")
    root.attrs.update({"model": "file:net@v1", "layers": ["conv1"], "complete": complete, "stimulus_columns": ["id"]})
    ids = root.require_group("stimuli").create_array("id", shape=(3,), dtype="string")
    ids[:] = np.array(["a", "b", "c"], dtype=object)
    layer = root.require_group("conv1")
    names = ["stimulus", "replicate", "channel"]
    layer.create_array("values", shape=(3, 1, 4), dtype="float32", dimension_names=names)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A folder with a thing of every kind, and its page."""
    folder = tmp_path_factory.mktemp("results")
    make_figure_files(folder / "figures", answer=f"Half {HOSTILE} of them.")
    make_pictures(folder / "stimuli", [f"{c}/{c}_{i}.png" for c in ("dog", "cat") for i in range(3)])
    make_store(folder / "activations" / "net.zarr")
    with h5py.File(folder / "model_activations_root.h5", "w") as file:
        for stimulus in ("a", "b"):
            file[f"ResNet50/{stimulus}/conv1"] = np.zeros((4, 64), np.float32)
    rdm = 1 - np.eye(6, dtype=np.float32)
    write_rdms(
        folder / "net.rdms.npz",
        rdm[None, None],
        layers=["conv1"],
        measures=["cosine"],
        stimulus_ids=list("abcdef"),
        categories=list("xxxyyy"),
        model="file:net",
    )
    record_provenance(folder, "net.zarr", {"name": HOSTILE})
    page = write_report(folder)
    return folder, page.read_text(), Reader(page.read_text())


def test_every_kind_of_file_is_on_the_page_in_order(full):
    _, html, page = full
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", html)
    assert titles == [
        "Who is right?",
        "Which pictures are in stimuli?",
        "Which stimuli are alike to file:net?",
        "What was recorded of file:net@v1?",
        "What is in the panel model_activations_root.h5?",
        "Where do these results come from?",
    ]
    assert "6 pictures in 2 groups." in page.text
    assert "1 layer for 3 stimuli" in page.text
    assert "1 model, 1 layer in all, 2 stimuli each." in page.text
    assert "Dissimilarities (cosine) of 6 stimuli at 1 layer." in page.text
    assert "4 channel" in page.text, "the store's table"
    assert "4 × 64" in page.text, "the panel's table"


def test_the_page_is_one_file_that_asks_for_nothing(full):
    _, html, page = full
    assert page.sources
    assert all(source.startswith("data:") for source in page.sources)
    assert not any(re.match(r"\s*([a-z]+:)?//", link) for link in page.links)
    assert {"link", "iframe", "object", "embed", "base"} & set(page.tags) <= {"link"}
    assert page.tags.count("script") == 1
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert len(html.encode()) < 20_000_000


def test_links_lead_to_files_beside_the_page(full):
    folder, _, page = full
    links = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert {"figures/accuracy.svg", "figures/accuracy.csv", "stimuli/dog/dog_0.png"} <= set(links)
    assert all((folder / link).exists() for link in links)


def test_words_from_files_stay_words(full):
    _, html, page = full
    assert HOSTILE not in html
    assert HOSTILE in page.text


def test_pictures_have_words_and_load_late(full):
    _, html, page = full
    assert all(page.alts)
    assert html.count('loading="lazy"') == page.tags.count("img")


def test_header_names_model_stimuli_and_date(full):
    _, html, _ = full
    head = html[html.index("<header") : html.index("</header>")]
    assert "file:net@v1" in head
    assert "3 stimuli" in head
    assert re.search(r"20\d\d-\d\d-\d\d", head)


def test_report_json_gives_title_and_sentence(tmp_path):
    make_figure_files(tmp_path)
    (tmp_path / "report.json").write_text('{"title": "My study", "sentence": "Dogs were shown."}')
    html = write_report(tmp_path, tmp_path / "out" / "page.html").read_text()
    assert "<h1>My study</h1>" in html
    assert "Dogs were shown." in html
    assert "accuracy.svg" not in html, "files outside the page's own folder are not linked"


def test_copies_for_participants_are_no_gallery(tmp_path):
    tasks = tmp_path / "experiment" / "tasks"
    (tasks / "task_1").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tasks / "task_1" / "stimulus.png")
    (tmp_path / "mine").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "mine" / "dog.png")
    assert "Which pictures are in experiment?" in write_report(tmp_path, tmp_path / "with.html").read_text()
    (tasks / "experiment.json").write_text("{}")
    html = write_report(tmp_path, tmp_path / "without.html").read_text()
    assert "Which pictures are in experiment?" not in html
    assert "Which pictures are in mine?" in html


def test_words_beside_a_folder_of_pictures_are_used(tmp_path):
    make_pictures(tmp_path / "made", ["a.png"])
    (tmp_path / "made.figure.json").write_text('{"title": "What was made?", "explanation": "By code."}')
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", write_report(tmp_path).read_text())
    assert titles == ["What was made?"]


def test_words_beside_a_folder_of_pictures_are_used_from_further_up(tmp_path):
    for name in ("run/made", "run/other"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), "red").save(tmp_path / name / "a.png")
    (tmp_path / "run/made.figure.json").write_text('{"title": "What was made?", "explanation": "By code."}')
    html = write_report(tmp_path).read_text()
    assert html.count("What was made?</h2>") == 1
    assert "is not on this page" not in html
    assert "Which pictures are in run?" in html
    assert html.count("<img") == 2


def test_a_figure_stands_in_for_its_rdm_file(tmp_path):
    rdms, ids = np.zeros((1, 1, 2, 2)), ["a", "b"]
    write_rdms(tmp_path / "net.rdms.npz", rdms, layers=["x"], measures=["cosine"], stimulus_ids=ids)
    make_figure_files(tmp_path, "net", title="My own words")
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", write_report(tmp_path).read_text()) == ["My own words"]


def test_unreadable_files_are_named_and_cost_nothing_else(tmp_path):
    make_figure_files(tmp_path)
    (tmp_path / "bad.figure.json").write_text("{")
    (tmp_path / "bad.h5").write_bytes(b"no")
    (tmp_path / "bad.rdms.npz").write_bytes(b"no")
    (tmp_path / "bad.zarr").mkdir()
    make_pictures(tmp_path / "pictures", ["good.png"])
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no")
    page = Reader(write_report(tmp_path).read_text())
    for name in ("bad.figure.json", "bad.h5", "bad.rdms.npz", "bad.zarr"):
        assert f"{name} could not be read" in page.text
    assert "Not readable as pictures: broken.png" in page.text
    assert "Who is right?" in page.text


def test_any_other_hdf5_file_lists_its_datasets(tmp_path):
    with h5py.File(tmp_path / "brain.hdf5", "w") as file:
        file["subject/betas"] = np.zeros((2, 5, 7))
        file["version"] = 3
    page = Reader(write_report(tmp_path).read_text())
    assert "2 datasets." in page.text
    assert "subject/betas 2 × 5 × 7 float64" in page.text
    assert "version one value" in page.text


def test_an_unfinished_store_says_so(tmp_path):
    make_store(tmp_path / "net.zarr", complete=False)
    assert "has not ended" in write_report(tmp_path).read_text()


def test_a_full_page_leaves_pictures_out_and_says_so(tmp_path, monkeypatch):
    make_pictures(tmp_path / "p", [f"{i}.png" for i in range(5)])
    uri, size = embed_picture(tmp_path / "p" / "0.png", 192, Budget())  # pyright: ignore[reportGeneralTypeIssues]
    assert size == (300, 200)
    monkeypatch.setattr("beholder.report._section.Budget", lambda: Budget(2 * len(uri) + 20))
    page = Reader(write_report(tmp_path).read_text())
    assert page.tags.count("img") == 2
    assert "2 of 5 pictures are shown" in page.text


def test_a_figure_that_no_longer_fits_is_reported_missing(tmp_path, monkeypatch):
    make_figure_files(tmp_path)
    monkeypatch.setattr("beholder.report._section.Budget", lambda: Budget(100))
    page = Reader(write_report(tmp_path).read_text())
    assert "img" not in page.tags
    assert "The picture is not on this page" in page.text


def test_a_large_gallery_is_thinned_evenly(tmp_path):
    groups = {"a": [tmp_path / f"a{i:02}" for i in range(9)], "b": [tmp_path / "b0"]}
    assert [(g, p.name) for g, p in _pick_evenly(groups, 4)] == [("a", "a00"), ("a", "a01"), ("a", "a02"), ("b", "b0")]


def test_other_rooms_register_their_sections(tmp_path, monkeypatch):
    class NoteKind(SectionKind):
        def find(self, folder):
            return sorted(folder.glob("*.note"))

        def render(self, item, page):
            return Section(title=f"Note {item.stem}", answer=item.read_text(), order=1)

    monkeypatch.setitem(SECTIONS._entries, "notes", NoteKind())
    (tmp_path / "first.note").write_text("Look here.")
    make_figure_files(tmp_path)
    html = write_report(tmp_path).read_text()
    assert html.index("Note first") < html.index("Who is right?")


def test_what_cannot_be_reported_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="no folder at"):
        write_report(tmp_path / "none")
    with pytest.raises(InputError, match="results that a report can show"):
        write_report(tmp_path)
    make_store(tmp_path / "net.zarr")
    with pytest.raises(InputError, match="folder of results"):
        write_report(tmp_path / "net.zarr")


def test_command_names_the_page(tmp_path, capsys):
    make_figure_files(tmp_path)
    app([str(tmp_path)])
    assert capsys.readouterr().out == f"report: {tmp_path / 'report.html'}\n"
    app([str(tmp_path), "--out", str(tmp_path / "x.html"), "--json"])
    (row,) = json.loads(capsys.readouterr().out)["report"]
    assert row == {"file": str(tmp_path / "x.html"), "bytes": (tmp_path / "x.html").stat().st_size}


def test_the_page_counts_what_it_shows(tmp_path, monkeypatch):
    told, counted = [], []

    @contextlib.contextmanager
    def show(label, total, *_, **__):
        told.append(total)
        yield counted.append

    monkeypatch.setattr(_write, "show_progress", show)
    make_figure_files(tmp_path)
    make_figure_files(tmp_path, "second")
    write_report(tmp_path)
    assert told[0] >= 2 and sum(counted) == told[0]


def test_provenance_of_several_folders_is_one_section(tmp_path):
    record_provenance(tmp_path, ".", {"a": 1})
    record_provenance(tmp_path / "sub", "net.zarr", {"b": 2})
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "provenance.json").write_text("[1]")
    sections = [s for s in collect_sections(tmp_path, tmp_path / "report.html") if s.title.startswith("Where do")]
    assert len(sections) == 1
    assert "sub/net.zarr" in sections[0].answer and "Everything here" in sections[0].answer
    assert '"sub/provenance.json"' in sections[0].text
    assert sections[0].warnings == (
        "bad/provenance.json could not be read: expected a provenance file, an object with outputs; "
        f"got {tmp_path / 'bad' / 'provenance.json'}",
    )


def test_a_model_stands_once_in_the_header(tmp_path):
    names = ["beholder:shapes@v1", "shapes", "other", "beholder:shapes@v1"]
    head = describe_page(tmp_path, [Section(title="t", facts={"model": name}) for name in names])
    assert head["model"] == "beholder:shapes@v1, other"
