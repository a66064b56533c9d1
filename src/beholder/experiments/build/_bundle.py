"""The pages' scripts, styles, texts and icons as one document."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder.experiments.flow._page_files import PAGE_TYPES, STATIC, STYLE, TEXTS, list_page_files

ENTRY = "js/static_main.js"

_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "(\.{1,2}/[\w./]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)
_SHELL_HEAD = re.compile(r"<link rel=\"stylesheet\".*?</head>", re.DOTALL)


_NONE: Mapping[str, bytes] = MappingProxyType({})


def bundle_scripts(entry: str = ENTRY, root: Path = STATIC, files: Mapping[str, bytes] = _NONE) -> str:
    """Join the modules that a module imports, and itself, into one classic script.

    Each module becomes a function of its own that returns what it exports; they stand in an order in which everything
    is there when it is needed. Modules import by ``import { a, b } from "./file.js";`` on one line and export
    functions, classes and constants where they are declared.

    Parameters
    ----------
    entry : str
        Path of the module under ``root``, with ``/``.
    root : path
    files : mapping of str to bytes, optional
        Modules by such paths that come beside those of ``root``, or in their place.

    Raises
    ------
    InputError
        An import or export of another form, of a module that is not there, or modules that import each other in a
        circle.

    Examples
    --------
    >>> script = bundle_scripts("js/tabs.js")
    >>> script.splitlines()[0]
    'const js_tabs = (() => {'
    """
    made: dict[str, str] = {}

    def visit(path: str, above: tuple[str, ...]) -> None:
        if path in made:
            return
        if path in above:
            raise InputError("modules that do not import each other in a circle", got=" → ".join([*above, path]))
        text = _read_file(path, root, files)
        for match in _IMPORT.finditer(text):
            visit(_resolve(path, match[2]), (*above, path))
        made[path] = _wrap(path, text)

    visit(entry, ())
    return "\n".join(made.values())


@suggest_keywords
def join_page_scripts(kind: str) -> str:
    """The scripts of a kind of task's pages as one, as a page without a server holds them.

    Raises
    ------
    InputError
        As :func:`bundle_scripts`, and where the page of the kind lacks its module.
    """
    return bundle_scripts(files=list_page_files(kind))


def _read_file(path: str, root: Path, files: Mapping[str, bytes]) -> str:
    try:
        return (files[path] if path in files else (root / path).read_bytes()).decode("utf-8")
    except FileNotFoundError as error:
        raise InputError("a module that is there", got=f"an import of {path}") from error


def _resolve(path: str, target: str) -> str:
    parts: list[str] = list(PurePosixPath(path).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _name(path: str) -> str:
    return re.sub(r"\W", "_", path.removesuffix(".js"))


def _wrap(path: str, text: str) -> str:
    body = _IMPORT.sub(lambda match: f"const {{ {match[1]} }} = {_name(_resolve(path, match[2]))};", text)
    names = _EXPORT.findall(body)
    body = re.sub(r"^export (?=(?:async )?(?:function|class|const) )", "", body, flags=re.MULTILINE)
    if left := re.search(r"^(?:import|export)\b.*$", body, re.MULTILINE):
        raise InputError("imports and exports on one line, without renaming", got=f"{path}: {left[0]}")
    return f"const {_name(path)} = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();"


def embed_file(path: Path, media_type: str) -> str:
    """A file as a ``data:`` address."""
    return _embed(path.read_bytes(), media_type)


def _embed(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def make_page(data: dict[str, Any], remark: str, files: Mapping[str, bytes] = _NONE) -> str:
    """The shell of the pages with everything in it.

    Parameters
    ----------
    data : dict
        What the page's stand-in for the server knows; JSON values.
    remark : str
        Stands in a comment at the top.
    files : mapping of str to bytes, optional
        Of :func:`~beholder.experiments.flow._page_files.list_page_files`.
    """

    def read(name: str) -> str:
        return _read_file(name, STATIC, files)

    icons = {
        f"icons/{path.name}": embed_file(path, PAGE_TYPES[".svg"]) for path in sorted((STATIC / "icons").glob("*.svg"))
    }
    types = {name: PAGE_TYPES.get(PurePosixPath(name).suffix, "") for name in files}
    own = {name: _embed(files[name], kind) for name, kind in types.items() if kind.startswith("image/")}
    assets = {TEXTS: read(TEXTS), **icons, **own}
    styles = "\n".join(map(read, ("vendor/jspsych.css", STYLE)))
    license_text = read("vendor/jspsych.license.txt")
    library = read("vendor/jspsych.js")
    head = f"<style>\n{styles}\n</style>\n</head>"
    body = "\n".join(
        [
            _json_block("beholder-assets", assets),
            _json_block("beholder-static", data),
            f"<script>\n/* jsPsych:\n{license_text}*/\n{_escape(library)}\n</script>",
            f"<script>\n{_escape(bundle_scripts(files=files))}\n</script>\n</body>",
        ]
    )
    shell = _SHELL_HEAD.sub(lambda _: head, read("index.html")).replace("</body>", body)
    return shell.replace("<!doctype html>", f"<!doctype html>\n<!-- {remark} -->", 1)


def _json_block(name: str, content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f'<script type="application/json" id="{name}">{text.replace("<", chr(92) + "u003c")}</script>'


def _escape(script: str) -> str:
    """A script that holds no end of a script; in strings and comments the escaped form means the same."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
