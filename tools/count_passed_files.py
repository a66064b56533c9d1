"""Count the files of ``src`` that one picture passes: through ``extract``, and through ``make_metamers``.

    python tools/count_passed_files.py            # the table
    python tools/count_passed_files.py --files    # and the files, by room

A file counts when a function of it is called during the run, in any thread; what runs while a module is imported does
not. The networks are loaded before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "beholder"


@contextmanager
def note_files(root: Path = SOURCE) -> Iterator[set[str]]:
    """Names below ``root`` of the files whose functions are called while the block runs, in all threads."""
    found: set[str] = set()
    prefix = f"{root}/"

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(prefix):
            return
        name = frame.f_code.co_filename.removeprefix(prefix)
        if name not in found and not _is_import(frame, prefix):
            found.add(name)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def _is_import(frame: FrameType | None, prefix: str) -> bool:
    """Whether a module below ``prefix`` is being imported, further up or here."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(prefix):
            return True
        frame = frame.f_back
    return False


def extract_picture(folder: Path) -> Callable[[], Any]:
    """One picture, one layer, through the bundled network."""
    import beholder as bh

    picture, net = draw_picture(folder), bh.load_model("beholder:shapes", device="cpu")
    return lambda: bh.extract(net, picture, ["block5"], out_path=folder / "activations")


def make_metamer(folder: Path) -> Callable[[], Any]:
    """One metamer of one picture at one layer, two steps."""
    import beholder as bh

    picture, net = draw_picture(folder), bh.load_model("beholder:shapes", device="cpu")
    return lambda: bh.make_metamers(
        net, picture, ["block2"], measured=["block2"], iterations=2, out_path=folder / "made"
    )


def draw_picture(folder: Path) -> Path:
    """A folder of one drawn picture."""
    from beholder.stimuli import make_shape_picture, save_picture

    path = folder / "images" / "star.png"
    path.parent.mkdir(parents=True)
    save_picture(path, make_shape_picture("star", 7))
    return path.parent


RUNS = {"extract, one picture": extract_picture, "make_metamers, one metamer": make_metamer}


def count(make: Callable[[Path], Callable[[], Any]]) -> set[str]:
    """The files that a run passes."""
    with tempfile.TemporaryDirectory() as folder:
        run = make(Path(folder))
        with note_files() as found:
            run()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", action="store_true", help="name the files, too")
    asked = parser.parse_args()
    sys.path.insert(0, str(SOURCE.parent))
    from beholder._core.progress import set_quiet

    set_quiet(True)
    for name, make in RUNS.items():
        found = count(make)
        rooms = Counter(file.partition("/")[0] for file in found)
        lines = sum((SOURCE / file).read_text(encoding="utf-8").count("\n") for file in found)
        words = f"{name}: {len(found)} files of {lines / len(found):.0f} lines"
        print(words, *(f"{room} {n}" for room, n in rooms.most_common()), sep="  ")
        if asked.files:
            print(*(f"    {file}" for file in sorted(found)), sep="\n")


if __name__ == "__main__":
    main()
