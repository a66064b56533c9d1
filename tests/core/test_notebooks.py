"""What notebooks show, as far as it needs no kernel."""

from __future__ import annotations

import pandas as pd

from beholder._core.notebooks import is_notebook, render_table
from beholder.recordings import RecordedRDMs, Recordings


def test_a_table_shows_its_first_rows_and_how_many_there_are() -> None:
    frame = pd.DataFrame({"name": [f"<{i}>" for i in range(1234)]})
    shown = render_table("a < b", frame, n_rows=3)
    assert shown.startswith("<p>a &lt; b</p>") and shown.count("<tr") == 4
    assert "&lt;2&gt;" in shown and "&lt;3&gt;" not in shown and "1,231 more rows" in shown
    assert "more rows" not in render_table("", frame[:3], n_rows=3)
    assert not is_notebook()


def test_recordings_show_their_units_and_rdms() -> None:
    recordings = Recordings([[[1.0]], [[2.0]], [[4.0]]], ["a", "b", "c"], {"region": ["V1"]})
    rdms = RecordedRDMs([[1.0, 2.0, 3.0]], ["a", "b", "c"], {"region": ["IT"]})
    assert "V1" in recordings._repr_html_() and "IT" in rdms._repr_html_()
