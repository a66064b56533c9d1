"""Fetch the browser libraries that are kept with the experiment pages and their tests; note what was fetched.

    python tools/refresh_vendor.py                     # the versions that vendor.json names
    python tools/refresh_vendor.py jspsych=8.4.0       # another version

Needs npm, which checks each tarball against the published integrity; everything else reads the copies. No tarball of
jsPsych holds its licence: `jspsych.license.txt` is the `license.txt` of its repository and is kept as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "src" / "beholder" / "experiments" / "static" / "vendor"
TESTS = ROOT / "tests" / "browser" / "vendor"
FONT = re.compile(rb"(?:/\*(?:[^*]|\*(?!/))*\*/\s*)?@font-face\s*\{[^}]*\}\s*")


def fetch_package(name: str, version: str) -> tuple[dict[str, bytes], str]:
    """Files of an npm package, and its integrity."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{name}@{version}", "--json", "--pack-destination", folder]
        packed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
        with tarfile.open(Path(folder) / packed["filename"]) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            files = {member.name.removeprefix("package/"): archive.extractfile(member).read() for member in members}
    return files, packed["integrity"]


def strip_fonts(css: bytes) -> bytes:
    """A style sheet without embedded fonts, which are 98 % of jsPsych's."""
    return FONT.sub(b"", css)


def keep(folder: Path, package: dict, files: dict[str, bytes]) -> None:
    """Write the files, and vendor.json with the hash of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    names = sorted(path.name for path in folder.iterdir() if path.name != "vendor.json")
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "vendor.json").write_text(json.dumps({**package, "sha256": hashes}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Fetch both packages."""
    versions = {"jspsych": "8.3.0", "axe-core": "4.14.1"}
    for folder in (PAGES, TESTS):
        if (folder / "vendor.json").exists():
            noted = json.loads((folder / "vendor.json").read_text(encoding="utf-8"))
            versions[noted["name"]] = noted["version"]
    versions.update(word.split("=") for word in sys.argv[1:])
    files, integrity = fetch_package("jspsych", versions["jspsych"])
    about = {"name": "jspsych", "version": versions["jspsych"], "license": "MIT", "integrity": integrity}
    kept = {"jspsych.js": files["dist/index.browser.min.js"], "jspsych.css": strip_fonts(files["css/jspsych.css"])}
    keep(PAGES, {**about, "changes": "jspsych.css: without @font-face"}, kept)
    files, integrity = fetch_package("axe-core", versions["axe-core"])
    about = {"name": "axe-core", "version": versions["axe-core"], "license": "MPL-2.0", "integrity": integrity}
    kept = {"axe.min.js": files["axe.min.js"], "axe.license.txt": files["LICENSE"]}
    keep(TESTS, {**about, "changes": "none"}, kept)


if __name__ == "__main__":
    main()
