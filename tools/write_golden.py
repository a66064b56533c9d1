"""Write the golden digests and texts of ``tests/golden`` anew, after a change of outputs that is meant.

python tools/write_golden.py                      # all
python tools/write_golden.py units metamers       # these groups
python tools/write_golden.py tasks --keep before  # and leave the outputs in before/tasks, to compare with diff -r
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "src")]


def main() -> None:
    """Parse and write."""
    from tests.golden.compare import write_digests
    from tests.golden.runs import GROUPS, digest_group, run_group
    from tests.golden.texts import TEXTS, write_text

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join([*GROUPS, *TEXTS])}; default all")
    parser.add_argument("--keep", type=Path, help="a folder to leave the outputs in")
    asked = parser.parse_args()
    names = asked.names or [*GROUPS, *TEXTS]
    groups, texts = [name for name in names if name in GROUPS], [name for name in names if name in TEXTS]
    if unknown := set(names) - {*GROUPS, *TEXTS}:
        parser.error(f"expected some of {', '.join([*GROUPS, *TEXTS])}; got {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        place = (asked.keep or Path(scratch)).resolve()
        for name in groups:
            said = run_group(GROUPS[name], place / name)
            print(write_digests(name, said, digest_group(GROUPS[name], place / name)))
        for name in texts:
            print(write_text(name, place / name))


if __name__ == "__main__":
    main()
