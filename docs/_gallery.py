"""Hook for mkdocs: the tutorials of ``docs/gallery``, run once, as pages, notebooks and scripts.

Each tutorial is a script of ``# %%`` cells that runs by itself in an empty folder, offline. All of them run in one
Jupyter kernel, one after the other, and what they show goes to their pages and notebooks. Outputs are kept in
``build/gallery`` until a script or the package changes, so that the site and the tests share one run.

``BEHOLDER_GALLERY=kept mkdocs serve`` runs nothing: pages show what an earlier run left, or the code alone.
``python docs/_gallery.py`` measures how long each script takes by itself, for ``docs/gallery/times.toml``.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "gallery"
KEPT = ROOT / "build" / "gallery"
TIMES = FOLDER / "times.toml"
GROUPS = {
    "Three doors": ("vision", "hearing", "interpretability"),
    "You used …": ("extract_2020", "extract_clip", "extraction_pipeline", "model_metamers", "stimuli_generation"),
}
"""Sections of the overview and the tutorials in them, by the names of their scripts."""

_NOT_TOLD = re.compile(r"<Axes|Text\(|(Posix|Windows)Path\(")
_TABLE = re.compile(r'<table[^>]*class="dataframe"[^>]*>')
_STYLE = re.compile(r"<style scoped>.*?</style>", re.DOTALL)
_BEGIN = "%reset -f\nimport os as _os\n_os.chdir({!r})\ndel _os"


def list_tutorials() -> list[str]:
    """Names of all scripts, in the overview's order; one that has no place there is an error."""
    names = [name for group in GROUPS.values() for name in group]
    found = sorted(path.stem for path in FOLDER.glob("*.py"))
    if sorted(names) != found:
        raise ValueError(f"GROUPS names {sorted(names)}, docs/gallery holds {found}")
    return names


def run_tutorials(*, run: bool = True) -> dict[str, Any]:
    """Notebooks of all tutorials, with outputs; what is kept of the same code is not run again.

    Parameters
    ----------
    run : bool
        False: what an earlier run left, of whatever code, else a notebook without outputs.
    """
    import nbformat
    from filelock import FileLock

    KEPT.mkdir(parents=True, exist_ok=True)
    names = list_tutorials()
    with FileLock(KEPT / "lock"):
        known = {name: _read_kept(name) for name in names}
        if not run:
            return {name: known[name] or read_script(name) for name in names}
        package = hash_package()
        keys = {name: _hash([package, (FOLDER / f"{name}.py").read_bytes()]) for name in names}
        wanted = [name for name in names if known[name] is None or known[name].metadata.beholder.key != keys[name]]
        for name, notebook in _run_in_one_kernel(wanted).items():
            notebook.metadata.beholder = {"key": keys[name]}
            nbformat.write(notebook, KEPT / f"{name}.ipynb")
            known[name] = notebook
    return known


def read_script(name: str) -> Any:
    """A script as a notebook without outputs."""
    import jupytext

    notebook = jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")
    notebook.metadata = type(notebook.metadata)(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    for place, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{place}".replace("_", "-")
        cell.metadata.clear()
    return notebook


def hash_package() -> bytes:
    """A digest of the package, and of what runs and shows the tutorials."""
    files = [
        Path(__file__),
        *sorted(path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts),
    ]
    return _hash(part for path in files for part in (path.as_posix().encode(), path.read_bytes())).encode()


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _read_kept(name: str) -> Any:
    import nbformat

    path = KEPT / f"{name}.ipynb"
    return nbformat.read(path, as_version=4) if path.is_file() else None


def _run_in_one_kernel(names: list[str]) -> dict[str, Any]:
    """Notebooks with outputs, each run in a folder of its own, ``build/gallery/NAME``, with names of no other."""
    import nbformat
    from nbclient import NotebookClient

    if not names:
        return {}
    notebooks = {name: read_script(name) for name in names}
    together = nbformat.v4.new_notebook()
    for name, notebook in notebooks.items():
        shutil.rmtree(KEPT / name, ignore_errors=True)
        (KEPT / name).mkdir()
        begin = nbformat.v4.new_code_cell(_BEGIN.format(str(KEPT / name)))
        together.cells += [begin, *(cell for cell in notebook.cells if cell.cell_type == "code")]
    with tempfile.TemporaryDirectory() as settings:
        client = NotebookClient(together, timeout=600, startup_timeout=120, kernel_name="python3")
        client.execute(env=make_environment(Path(settings)), cwd=str(KEPT))
    for name, notebook in notebooks.items():
        for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
            cell.execution_count = number
            cell.outputs = [_tidy(output, number, KEPT / name) for output in cell.outputs if not _is_left_out(output)]
            cell.metadata.clear()
    return notebooks


def make_environment(settings: Path) -> dict[str, str]:
    """The environment of a tutorial: this checkout, offline, with settings of Jupyter's of its own.

    Parameters
    ----------
    settings : path
        An empty folder.
    """
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "BEHOLDER_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    own |= {"IPYTHONDIR": str(settings / "ipython"), "PYTHONWARNINGS": "ignore:IProgress not found"}
    own |= {"BEHOLDER_PROGRESS": "0"}
    own |= {f"JUPYTER_{each}_DIR": str(settings / each.lower()) for each in ("RUNTIME", "CONFIG", "DATA")}
    return {**os.environ, **own}


def _is_left_out(output: Any) -> bool:
    """Whether it is the text of axes, labels or paths, which a cell's last line gives by the way."""
    data = output.get("data", {})
    return set(data) == {"text/plain"} and _NOT_TOLD.match(data["text/plain"]) is not None


def _tidy(output: Any, number: int, folder: Path) -> Any:
    """The same with the cell's number, and paths that begin in the tutorial's folder."""
    if "execution_count" in output:
        output.execution_count = number
    places = f"{folder}{os.sep}"
    for kind in ("text/plain", "text/html"):
        if kind in output.get("data", {}):
            output.data[kind] = output.data[kind].replace(places, "")
    if "text" in output:
        output.text = output.text.replace(places, "")
    return output


def write_page(name: str, notebook: Any, seconds: Mapping[str, Any]) -> tuple[str, dict[str, bytes]]:
    """A tutorial as a page of Markdown, and its pictures by their names in ``gallery/NAME/``.

    Parameters
    ----------
    name : str
    notebook : NotebookNode
    seconds : mapping
        What ``times.toml`` holds.
    """
    pictures: dict[str, bytes] = {}
    parts: list[str] = []
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            heading = find_heading(cell.source) or heading
            intro, mark, rest = cell.source.partition("\n## ") if not parts else (cell.source, "", "")
            parts.append(intro)
            if len(parts) == 1:
                parts += [_tell_facts(name, notebook, seconds), (mark + rest).strip()]
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            parts.append(_show(output, name, heading, pictures))
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def find_heading(text: str) -> str:
    """The last heading of a cell of Markdown."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return found[-1] if found else ""


def count_lines(notebook: Any) -> int:
    """Logical lines of code: what is wrapped is one, blank lines and comments are none."""
    cells = (io.StringIO(cell.source).readline for cell in notebook.cells if cell.cell_type == "code")
    return sum(token.type == tokenize.NEWLINE for cell in cells for token in tokenize.generate_tokens(cell))


def _tell_facts(name: str, notebook: Any, seconds: Mapping[str, Any]) -> str:
    took = f", **{seconds['seconds'][name]:.0f} s** on {seconds['machine']}" if name in seconds["seconds"] else ""
    return (
        f"{count_lines(notebook)} lines of Python{took}. Runs as it is, in an empty folder, offline: "
        f"[notebook]({name}.ipynb){{ download }}, [script]({name}.py){{ download }}.\n{{ .gallery-facts }}"
    )


def _show(output: Any, name: str, heading: str, pictures: dict[str, bytes]) -> str:
    """One output as Markdown."""
    if output.output_type == "stream":
        return _show_text(output.text)
    data = output.data
    if "image/png" in data:
        file = f"{len(pictures) + 1}.png"
        pictures[file] = base64.b64decode(data["image/png"])
        return f"![{heading.replace('`', '')}, drawn]({name}/{file}){{ .gallery-picture }}"
    if "text/html" in data:
        shown = _TABLE.sub("<table>", _STYLE.sub("", data["text/html"]))
        return f'<div class="gallery-output">\n{shown.strip()}\n</div>'
    return _show_text(data.get("text/plain", ""))


def _show_text(text: str) -> str:
    text = text.rstrip()
    return f'<pre class="gallery-output"><code>{html.escape(text)}</code></pre>' if text else ""


def write_cards(notebooks: Mapping[str, Any], seconds: Mapping[str, Any]) -> str:
    """What the page ``tutorials.md`` ends with: a card for each, with its richest picture."""
    lines: list[str] = []
    for group, names in GROUPS.items():
        lines += [f"## {group}", "", '<div class="gallery-cards" markdown>', ""]
        for name in names:
            text = next(cell.source for cell in notebooks[name].cells if cell.cell_type == "markdown")
            told = next((part for part in text.split("\n\n")[1:] if not part.startswith(("#", "```"))), "")
            took = f" {seconds['seconds'][name]:.0f} s." if name in seconds["seconds"] else ""
            pictures = write_page(name, notebooks[name], seconds)[1]
            lines += ["<div markdown>", ""]
            if pictures:
                richest = max(pictures, key=lambda file: len(pictures[file]))
                lines += [f"[![](gallery/{name}/{richest})](gallery/{name}.md)", ""]
            lines += [
                f"**[{find_heading(text.splitlines()[0])}](gallery/{name}.md)**",
                "",
                " ".join(told.split()) + took,
                "",
            ]
            lines += ["</div>", ""]
        lines += ["</div>", ""]
    return "\n".join(lines)


def read_times() -> dict[str, Any]:
    """What was measured: ``machine``, and ``seconds`` by tutorial."""
    return tomllib.loads(TIMES.read_text(encoding="utf-8")) if TIMES.is_file() else {"machine": "", "seconds": {}}


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Hand the pages, pictures and notebooks to mkdocs; the scripts are there already."""
    import nbformat
    from mkdocs.structure.files import File

    seconds = read_times()
    for name, notebook in run_tutorials(run=os.environ.get("BEHOLDER_GALLERY") != "kept").items():
        page, pictures = write_page(name, notebook, seconds)
        made: dict[str, str | bytes] = {f"{name}.md": page, f"{name}.ipynb": nbformat.writes(notebook)}
        made |= {f"{name}/{file}": content for file, content in pictures.items()}
        for place, content in made.items():
            files.append(File.generated(config, f"gallery/{place}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the cards on the page that leads to the tutorials."""
    if page.file.src_uri != "tutorials.md":
        return markdown
    return markdown + "\n" + write_cards(run_tutorials(run=False), read_times())


def measure(names: list[str]) -> None:
    """Time scripts, each as a fresh process in an empty folder, and write them to ``times.toml``."""
    known = read_times()
    for name in names or list_tutorials():
        with tempfile.TemporaryDirectory() as folder:
            environment = make_environment(Path(folder) / "settings") | {"MPLBACKEND": "agg"}
            place = Path(folder) / "empty"
            place.mkdir()
            begin = time.perf_counter()
            subprocess.run(
                [sys.executable, FOLDER / f"{name}.py"],
                cwd=place,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            known["seconds"][name] = round(time.perf_counter() - begin, 1)
            print(f"{name}: {known['seconds'][name]} s")  # noqa: T201
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{n_cores} cores of {_name_processor()}, without a GPU"
    lines = ["# Written by `python docs/_gallery.py` on a quiet machine.", f'machine = "{machine}"', "", "[seconds]"]
    lines += [f"{name} = {known['seconds'][name]}" for name in list_tutorials() if name in known["seconds"]]
    TIMES.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _name_processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


if __name__ == "__main__":
    measure(sys.argv[1:])
