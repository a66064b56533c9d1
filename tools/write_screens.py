"""Write the golden pictures of screens in ``tests/golden/screens`` anew, after a change of pages that is meant.

python tools/write_screens.py                 # all
python tools/write_screens.py report consent  # those whose names have one of these words in them
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run the tests that look at screens, which write what they see; look at the pictures before you commit them."""
    words = sys.argv[1:]
    chosen = ["-k", " or ".join(words)] if words else []
    tests = ["tests/browser/test_screens.py", "tests/docs/test_site_screens.py", "-m", "slow or not slow"]
    environment = {**os.environ, "BEHOLDER_RENEW_SCREENS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", *tests, *chosen]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
