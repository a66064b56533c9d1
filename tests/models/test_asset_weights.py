"""Published weights by name: every one of the manifest is known to a source, and found where it was fetched to."""

from __future__ import annotations

import pytest

from beholder._core.errors import WeightsUnavailable
from beholder.models import resolve_model
from beholder.models.definitions._base import get_source
from beholder.stimuli import get_asset_folder, list_assets

READOUT = "ipcl_model_01_alexnet_fc7_ipcl_training_head_ipcl1_fc7_lincls_onecycle.pth.tar"
CHECKPOINTS = list_assets("checkpoint-*")
BY_MODEL = [asset.model for asset in CHECKPOINTS if asset.model]
BY_FILE = [asset for asset in CHECKPOINTS if not asset.model and asset.files != (READOUT,)]


def find_blueprint(file_name):
    """The network that a published file is for, and its tag."""
    for source in ("metamers", "audio"):
        for name in get_source(source).list_names():
            definition = get_source(source).find(name, None)
            for tag in definition.tags:
                if definition.published_file and definition.published_file(tag) == file_name:
                    return definition, tag
    raise AssertionError(f"no network knows {file_name}")


@pytest.mark.parametrize("name", BY_MODEL)
def test_weights_of_a_model_source_are_known_to_it(name):
    resolved = resolve_model(name, check_file=False)
    assert resolved.name == name and resolved.tag in resolved.definition.tags


@pytest.mark.parametrize("asset", BY_FILE, ids=lambda asset: asset.name)
def test_a_fetched_checkpoint_is_found_by_its_source(asset, asset_home, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    (file,) = asset.files
    definition, tag = find_blueprint(file)
    if definition.fetch_tag is not None:
        with pytest.raises(WeightsUnavailable):
            definition.fetch_tag(tag)
    place = get_asset_folder(asset.name) / file
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    if definition.fetch_tag is not None:
        assert definition.fetch_tag(tag) == place


def test_missing_checkpoints_say_which_asset_to_fetch(asset_home, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for file, name in [("kell2018_wsn_word.pt", "kell2018"), ("resnet50_simclr.pt", "resnet50_simclr")]:
        definition, tag = find_blueprint(file)
        assert definition.fetch_tag is not None
        with pytest.raises(WeightsUnavailable, match=f"beholder assets fetch checkpoint-{name}`"):
            definition.fetch_tag(tag)
