"""What a kind of result of an analysis has to do."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from matplotlib.axes import Axes

from beholder._core.errors import suggest_keywords
from beholder.analysis import RESULT_KINDS, Result, open_result
from beholder.report import write_report
from beholder.testing._expect import expect, explain


@suggest_keywords
def check_result_kind(result: Result) -> None:
    """Check how results of a kind are told and drawn: from the result alone, the same after it was saved and opened.

    Parameters
    ----------
    result : Result
        A small one, by :func:`beholder.analysis.make_result`; its kind is a name of
        :data:`beholder.analysis.RESULT_KINDS`: that of the entry point, or as it was added there.

    Raises
    ------
    AssertionError
        It asks no question, tells nothing or has no Methods paragraph; its table does not go into JSON; there are no
        pictures, two of one name, or one without words for those who cannot see it; what was saved is told otherwise;
        the report does not show it.

    Examples
    --------
    >>> from beholder.analysis import analyze_cka, open_result
    >>> check_result_kind(open_result("cka.parquet"))  # doctest: +SKIP
    """
    name = result.kind
    with explain(f"a kind of result called {name!r}", hint="an entry point beholder.result_kinds"):
        kind = RESULT_KINDS[name]
    with explain(f"title, sentences and Methods paragraph of {name}"):
        title, told, methods = kind.title(result), result.sentences(), result.methods()
    expect(title.endswith("?"), f"a question as the title of {name}", got=repr(title))
    expect(bool(told) and all(text.strip() for text in told), f"a sentence from {name}", got=str(told))
    expect(bool(methods.strip()), f"a Methods paragraph of {name}", got="none")
    with explain(f"the table of {name} as JSON"):
        json.dumps(result.to_json(), allow_nan=False)
    with explain(f"plot of {name} to draw"):
        ax = result.plot()
    expect(isinstance(ax, Axes), f"the axes from plot of {name}", got=type(ax).__name__)
    _check_drawings(result)
    with tempfile.TemporaryDirectory() as top:
        with explain(f"a result of {name} to be saved and opened"):
            opened = open_result(result.save(Path(top) / f"{name}.parquet"))
        again = (kind.title(opened), opened.sentences(), opened.methods())
        expect(again == (title, told, methods), f"{name} told alike after it was saved", got="other words")
        _check_drawings(opened)
        with explain(f"a page with {name}"):
            page = write_report(Path(top), Path(top) / "report.html").read_text(encoding="utf-8")
        expect(f"{name}.parquet could not be read" not in page, f"a section for {name}", got="a warning instead")


def _check_drawings(result: Result) -> None:
    with explain(f"draw of {result.kind} to draw"):
        drawings = list(RESULT_KINDS[result.kind].draw(result))
    names = [each.name for each in drawings]
    expect(bool(names), f"a picture from draw of {result.kind}", got="none")
    expect(len(set(names)) == len(names), f"a name for each picture of {result.kind}", got=", ".join(names))
    silent = [each.name for each in drawings if not each.alt.strip()]
    expect(not silent, f"words for who cannot see {result.kind}'s pictures, in alt", got=f"none for {silent}")
