"""``beholder analyze probe`` and ``models join``: from activations to a network with its read-out."""

from __future__ import annotations

import json

import beholder as bh


def test_from_activations_to_a_network_with_a_readout(place, tmp_path, monkeypatch, beholder):
    monkeypatch.chdir(tmp_path)
    network = f"file:{place / 'net.py'}"
    code, _, err = beholder(
        "extract", "--model_name", network, "--in_path", place / "images", "--module_name", "0", "5"
    )
    assert code == 0, err
    (store,) = (tmp_path / "activations").glob("*.zarr")
    code, out, err = beholder("analyze", "probe", store, "--penalties", ".1", "1", "--json")
    assert code == 0, err
    rows = [row for row in json.loads(out)["probe"] if row["statistic"] == "top1"]
    assert [(row["layer"], row["n"], row["n_train"]) for row in rows] == [("0", 2, 2), ("5", 2, 2)]
    assert {row["penalty"] for row in rows} <= {0.1, 1.0}
    assert (tmp_path / "analysis" / "report.html").exists()
    code, _, err = beholder("analyze", "probe", store, "--penalties", ".1", "1")
    assert code == 0, err
    code, _, err = beholder("analyze", "probe", store, "--penalties", ".1", "1", "--rnd_seed", "3")
    assert code == 2 and "seed was 42, now 3" in err and len(err.strip().splitlines()) == 1
    code, out, err = beholder("verify", "analysis")
    assert code == 0 and "analysis/probes: 2 files checked, whole" in out, out + err
    readout, target = "analysis/probes/0.safetensors", "probe.safetensors"
    code, out, err = beholder("models", "join", network, readout, target)
    assert (code, out.strip()) == (0, target), err
    net = bh.load_model(f"{network}@{target}", device="cpu")
    assert net.classes == ("cat", "dog") and net.spec is not None
    code, out, err = beholder("models", "card", readout)
    assert code == 0 and "Read-out: linear, of layer `0`" in out, err
