"""The arithmetic of the model of cost, and that it cuts work as extractions do."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from beholder.activations.extraction._plan import choose_shard_rows

from .conftest import ROOT


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(scale: ModuleType) -> SimpleNamespace:
    return scale.Site(1, decode_rate=1e9, store_bytes=1e15, receipt_rate=1e9, load_seconds=0)


@pytest.mark.parametrize("n_values", [960, 9_664, 67_136, 10_000_000])
@pytest.mark.parametrize("n_pictures", [1_000, 1_000_000])
def test_work_is_cut_as_extractions_cut_it(scale: ModuleType, n_values: int, n_pictures: int) -> None:
    targets = [SimpleNamespace(shape=(n_values,))]
    rows = choose_shard_rows(targets, {"micro_batch": 64}, n_pictures)  # type: ignore[arg-type]
    assert scale.cut_pass(n_values, n_pictures) == (rows, math.ceil(n_pictures / rows))


def test_one_gpu_takes_what_its_network_takes(scale: ModuleType, site) -> None:
    cost = scale.cost_pass(scale.Network("net", 1000, 2000, 960), site)
    rows, n_shards = scale.cut_pass(960, 1_000_000)
    assert cost.limit == "network" and cost.seconds == pytest.approx(n_shards * rows / 1000)
    assert scale.cost_pass(scale.Network("net", 1000, 2000, 960), site, compiled=True).seconds == cost.seconds / 2
    assert cost.n_bytes == 960 * 4 * 1_000_000


def test_gpus_take_whole_shards(scale: ModuleType, site) -> None:
    net = scale.Network("net", 1000, 2000, 960)
    rows, n_shards = scale.cut_pass(960, 1_000_000)
    for n_gpus in (2, 8, 64, 1000):
        busiest = math.ceil(n_shards / n_gpus) * rows
        assert scale.cost_pass(net, replace(site, n_gpus=n_gpus)).seconds == pytest.approx(busiest / 1000)


@pytest.mark.parametrize(
    ("changes", "limit", "seconds"),
    [
        ({"decode_rate": 10, "cores_per_gpu": 4}, "decode", 579 * 1728 / 40),
        ({"store_bytes": 1e6}, "store", 4 * 9_664 * 1e6 / 1e6),
        ({"receipt_rate": 0.1}, "receipts", 5790),
        ({"load_seconds": 30}, "network", 30 + 579 * 1728 / 1000),
    ],
)
def test_the_slowest_of_what_overlaps_decides(scale: ModuleType, site, changes, limit: str, seconds: float) -> None:
    cost = scale.cost_pass(scale.Network("net", 1000, 2000, 9_664), replace(site, **changes))
    assert (cost.limit, cost.seconds) == (limit, pytest.approx(seconds))
    assert cost.seconds >= max(cost.parts.values())


def test_the_receipts_that_are_needed_are_those_of_the_fastest_pass(scale: ModuleType, site) -> None:
    costs = [scale.cost_pass(scale.Network("net", rate, rate, 9_664), site) for rate in (100, 1000)]
    assert scale.find_receipt_need(costs) == pytest.approx(1000 / 1728)


def test_the_panel_is_ours_and_costs_less_on_more_gpus(scale: ModuleType) -> None:
    from beholder.models import load_panel

    assert {network.name for network in scale.PANEL} == {entry.path_name for entry in load_panel()}
    hours = [sum(scale.cost_pass(net, scale.Site(n, 150, 2e9, 500)).seconds for net in scale.PANEL) for n in (1, 8, 64)]
    assert hours[0] > hours[1] > hours[2]
