"""Tasks of stimuli that lie packed: pages need files, which are written beside the plan."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beholder.experiments.design._stimulus_table import read_stimulus_table


def encode(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 9, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_packed_pictures_become_files_beside_the_plan(form: str, tmp_path: Path) -> None:
    contents = {f"{'ab'[i % 2]}/{i}.png": encode(i) for i in range(4)}
    source = tmp_path / f"x.{form}"
    if form == "tar":
        with tarfile.open(source, "w") as archive:
            for name, content in contents.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    else:
        import pyarrow as pa
        from pyarrow import parquet

        rows = [{"bytes": content, "path": name} for name, content in contents.items()]
        parquet.write_table(pa.table({"image": rows, "label": [name[0] for name in contents]}), source)
    table = read_stimulus_table(source, folder=tmp_path / "plan")
    assert table.ids == ("0", "1", "2", "3") and table.labels == ("a", "b", "a", "b")
    assert [condition.name for condition in table.conditions] == ["natural"]
    shown = [table.versions[i, 0].path for i in range(4)]
    assert all(path.is_relative_to(tmp_path / "plan" / "unpacked") for path in shown)
    assert [path.read_bytes() for path in shown] == list(contents.values())
