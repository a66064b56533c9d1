"""The file that says which stimuli a store holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from beholder.activations.store._arrays import open_group, write_column
from beholder.activations.store._manifest import read_manifest, write_manifest
from beholder.stimuli import StimulusSet

ODD = ("a.png", "b/c d.png", "./e.png", "f//g.png", "h/./i.png", "/j/k.png", "l/../m.png", "n/", ".o.png", "")


@pytest.mark.parametrize("root", [Path("/data/x"), Path("rel/ative"), Path(), Path("/"), None])
def test_sources_are_the_paths_of_the_stimuli(tmp_path: Path, root: Path | None) -> None:
    stimuli = StimulusSet(
        kind="image", ids=tuple(map(str, range(len(ODD)))), files=ODD, root=root, labels=tuple("x" for _ in ODD),
        targets=np.zeros(len(ODD), np.int64),
    )  # fmt: skip
    write_manifest(tmp_path, stimuli)
    table = read_manifest(tmp_path)
    assert table is not None
    assert list(table["source"]) == [str(stimuli.path(i)) for i in range(len(ODD))]
    plain = pd.DataFrame({
        "id": stimuli.ids, "file": ODD, "source": list(table["source"]), "label": stimuli.labels,
        "target": stimuli.targets,
    })  # fmt: skip
    pd.testing.assert_frame_equal(table, pd.read_parquet(_write(plain, tmp_path)))


def _write(table: pd.DataFrame, folder: Path) -> Path:
    table.to_parquet(folder / "plain.parquet", index=False)
    assert (folder / "plain.parquet").read_bytes() == (folder / "stimuli.parquet").read_bytes()
    return folder / "plain.parquet"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["a", "bc"], ["a", "bc"]),
        ([1, "b", None], ["1", "b", ""]),
        (np.array(["a", "b"]), ["a", "b"]),
        ([1.5, 2], [1.5, 2.0]),
        ([None, None], ["", ""]),
    ],
)
def test_a_column_is_numbers_or_text(tmp_path: Path, values: list, wanted: list) -> None:
    root = open_group(tmp_path / "x.zarr", "a")
    for _ in range(2):
        write_column(root, "column", values)
        column = root["column"]
        assert column[:].tolist() == wanted  # type: ignore[union-attr, index]
