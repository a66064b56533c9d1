"""From JPEGs to activations on disk: Beholder, thingsvision, and the bare cost of decoding plus network.

Usage: python benchmarks/extraction.py --images FOLDER [--n 1000] [--rows squeezenet alexnet resnet50 blocks]

Its environment: ``pip install -r benchmarks/requirements.txt`` and
``pip install --no-deps -r benchmarks/requirements-thingsvision.txt``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
import torchvision
from peers import import_peer
from PIL import Image

import beholder as bh

ROWS = {
    "squeezenet": ("squeezenet1_1", "features.11"),
    "alexnet": ("alexnet", "classifier.4"),
    "resnet50": ("resnet50", "layer3"),
}
BLOCKS = [f"layer{s}.{b}" for s, n in zip((1, 2, 3, 4), (3, 4, 6, 3), strict=True) for b in range(n)]


def make_net(name: str) -> tuple[torch.nn.Module, Any]:
    """A network with seeded random weights (speed does not depend on them) and its transform."""
    torch.manual_seed(0)
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    return torchvision.models.get_model(name).eval(), weights.transforms()


def time_decoding(files: list[Path], transform: Any) -> tuple[float, torch.Tensor]:
    """Seconds to decode and transform the pictures on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.perf_counter()
    images = [transform(Image.open(file).convert("RGB")) for file in files]
    seconds = time.perf_counter() - start
    torch.set_num_threads(threads)
    return seconds, torch.stack(images)


class _Stop(Exception):
    pass


def time_network(net: torch.nn.Module, layer: str, images: torch.Tensor) -> float:
    """Seconds of the network up to the layer, default layout and threads, batches of 32."""

    def stop(*_: Any) -> None:
        raise _Stop

    handle = net.get_submodule(layer).register_forward_hook(stop)
    start = time.perf_counter()
    with torch.inference_mode():
        for batch in images.split(32):
            with contextlib.suppress(_Stop):
                net(batch)
    seconds = time.perf_counter() - start
    handle.remove()
    return seconds


def time_beholder(net: torch.nn.Module, files: list[Path], layers: list[str], pool: str, transform: Any) -> float:
    """Seconds of ``bh.extract``: decoding, network and the finished store on disk."""
    from beholder.models import ImagePreprocessing

    model = bh.wrap(net, ImagePreprocessing(resize=transform.resize_size[0], crop=(224, 224)), name="net")
    stimuli = bh.StimulusSet.from_folder(files[0].parent)
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        bh.extract(model, stimuli, layers, out_path=out, pool=pool)
        return time.perf_counter() - start


def import_thingsvision() -> tuple[Any, Any, Any, Any]:
    """The four names that its documents use; ends the benchmark where it is not installed."""
    _pretend_tensorflow()
    data, storing = import_peer("thingsvision.utils.data"), import_peer("thingsvision.utils.storing")
    extractor = import_peer("thingsvision").get_extractor_from_model
    return extractor, data.DataLoader, data.ImageDataset, storing.save_features


def time_thingsvision(net: torch.nn.Module, folder: Path, layer: str, transform: Any) -> float:
    """Seconds of thingsvision's documented calls, saving to disk."""
    get_extractor_from_model, DataLoader, ImageDataset, save_features = import_thingsvision()
    with (
        tempfile.TemporaryDirectory() as out,
        open(os.devnull, "w") as null,
        contextlib.redirect_stdout(null),
        contextlib.redirect_stderr(null),
    ):
        start = time.perf_counter()
        extractor = get_extractor_from_model(model=net, device="cpu", backend="pt")
        dataset = ImageDataset(root=str(folder), out_path=out, backend="pt", transforms=transform)
        batches = DataLoader(dataset=dataset, batch_size=32, backend="pt")
        features = extractor.extract_features(batches=batches, module_name=layer, flatten_acts=True)
        save_features(features, out_path=out, file_format="npy")
        return time.perf_counter() - start


def _pretend_tensorflow() -> None:
    """Empty modules for what thingsvision imports of TensorFlow, unused for PyTorch models."""
    for name in (
        "",
        ".keras",
        ".keras.applications",
        ".keras.layers",
        ".keras.models",
        ".keras.preprocessing",
        ".image",
    ):
        sys.modules.setdefault(f"tensorflow{name}", MagicMock(name=f"tensorflow{name}"))
    np.AxisError = np.exceptions.AxisError  # its place before numpy 2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rows", nargs="+", default=[*ROWS, "blocks"])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if unknown := set(args.rows) - {*ROWS, "blocks"}:
        parser.error(f"no rows {', '.join(sorted(unknown))}")
    if set(args.rows) & set(ROWS):
        import_thingsvision()  # now, and not after minutes
    sources = sorted(p for p in args.images.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[: args.n]
    folder = Path(tempfile.mkdtemp()) / "images"
    folder.mkdir()
    for i, source in enumerate(sources):
        shutil.copy(source, folder / f"{i:05d}.jpg")
    files = sorted(folder.iterdir())
    machine = platform.processor() or platform.machine()
    print(f"{len(files)} pictures; {machine}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'row':<24}{'D':>8}{'F':>8}{'beholder':>10}{'thingsv.':>10}{'/(D+F)':>8}{'/things.':>9}")
    for row in (row for row in args.rows if row != "blocks"):
        results = sorted((_measure_row(row, files, folder) for _ in range(args.rounds)), key=lambda r: r[-2])
        d, f, ours, theirs, ratio, peer = results[len(results) // 2]
        print(f"{row:<24}{d:>8.2f}{f:>8.2f}{ours:>10.2f}{theirs:>10.2f}{ratio:>8.2f}{peer:>9.2f}", flush=True)
    if "blocks" in args.rows:
        found = sorted((_measure_blocks(files) for _ in range(args.rounds)), key=lambda r: r[1] / r[0])
        deepest, every = found[len(found) // 2]
        ratio = every / deepest
        print(f"{'all 16 blocks, mean':<24}{every:.2f} s, {ratio:.2f} times the deepest alone ({deepest:.2f} s)")
    shutil.rmtree(folder.parent)


def _measure_row(row: str, files: list[Path], folder: Path) -> tuple[float, ...]:
    name, layer = ROWS[row]
    net, transform = make_net(name)
    decoding, images = time_decoding(files, transform)
    network = time_network(net, layer, images)
    del images
    theirs = time_thingsvision(net, folder, layer, transform)
    ours = time_beholder(net, files, [layer], "none", transform)
    return decoding, network, ours, theirs, ours / (decoding + network), ours / theirs


def _measure_blocks(files: list[Path]) -> tuple[float, float]:
    net, transform = make_net("resnet50")
    deepest = time_beholder(net, files, [BLOCKS[-1]], "mean", transform)
    return deepest, time_beholder(net, files, BLOCKS, "mean", transform)


if __name__ == "__main__":
    main()
