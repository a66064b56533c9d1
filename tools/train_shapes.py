"""Train the bundled network ``beholder:shapes`` and write its weights.

Every training picture is drawn afresh, so nothing is seen twice; held-out pictures come from another
seed. One thread and one seed: the same machine type and versions give the same file again.
About ten minutes on one core::

    python tools/train_shapes.py --out src/beholder/models/_data/shapes-v1.safetensors
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.files import write_bytes
from beholder._core.seeds import derive_seed, make_generator
from beholder.models.nets._bundled import BundledPictureNetwork, load_stored_state, to_stored_state
from beholder.models.sources._bundled import MEAN, STD
from beholder.stimuli.drawn._shapes import SHAPE_CATEGORIES, make_shape_picture

logger = logging.getLogger("beholder")

TRAINING_SEED = 1
HELD_OUT_SEED = 2
BATCH_SIZE = 48
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.05


def draw_batch(seed: int, step: int, n: int) -> tuple[Tensor, Tensor]:
    """Pictures, (n, 3, 224, 224) in [0, 1], and their categories, (n,), for one step of training."""
    rng = make_generator(seed, "batch", step)
    targets = rng.permutation(np.arange(n) % len(SHAPE_CATEGORIES))
    pictures = [
        make_shape_picture(SHAPE_CATEGORIES[target], derive_seed(seed, "picture", step, i))
        for i, target in enumerate(targets)
    ]
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return batch, torch.from_numpy(targets)


def vary_pictures(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of the pictures, vary contrast, brightness and noise; what is shown stays in [0, 1]."""
    n = len(batch)
    mirrored = torch.from_numpy(rng.random(n) < 0.5)[:, None, None, None]
    batch = torch.where(mirrored, batch.flip(3), batch)
    contrast = torch.from_numpy(rng.uniform(0.6, 1.3, (n, 1, 1, 1))).float()
    brightness = torch.from_numpy(rng.uniform(-0.15, 0.15, (n, 3, 1, 1))).float()
    noise = torch.from_numpy(rng.standard_normal(tuple(batch.shape), dtype=np.float32))
    noise *= torch.from_numpy(rng.uniform(0, 0.08, (n, 1, 1, 1))).float()
    return ((batch - 0.5) * contrast + 0.5 + brightness + noise).clamp(0, 1)


def normalize(batch: Tensor) -> Tensor:
    """Shift and scale as the model's own preprocessing does."""
    return (batch - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def train_network(n_steps: int) -> BundledPictureNetwork:
    """Train with AdamW and a rate that rises, then falls to nothing."""
    torch.manual_seed(TRAINING_SEED)
    network = BundledPictureNetwork(len(SHAPE_CATEGORIES)).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=n_steps, pct_start=0.2)
    start = time.monotonic()
    for step in range(n_steps):
        batch, targets = draw_batch(TRAINING_SEED, step, BATCH_SIZE)
        batch = vary_pictures(batch, make_generator(TRAINING_SEED, "vary", step))
        logits = network(normalize(batch).contiguous(memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 0 or step == n_steps - 1:
            right = (logits.argmax(1) == targets).float().mean()
            seconds = time.monotonic() - start
            logger.info("step %d of %d: loss %.3f, right %.2f, %.0f s", step, n_steps, loss.item(), right, seconds)
    return network.eval()


@torch.inference_mode()
def count_right(network: BundledPictureNetwork, n_batches: int) -> tuple[int, int]:
    """Right answers and pictures shown, on pictures that training never drew."""
    right = shown = 0
    for step in range(n_batches):
        batch, targets = draw_batch(HELD_OUT_SEED, step, 64)
        right += int((network(normalize(batch)).argmax(1) == targets).sum())
        shown += len(targets)
    return right, shown


def main() -> None:
    """Train, round to what is stored, measure, write."""
    from safetensors.torch import save

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("src/beholder/models/_data/shapes-v1.safetensors"))
    parser.add_argument("--steps", type=int, default=800)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    stored = to_stored_state(train_network(arguments.steps).state_dict())
    network = BundledPictureNetwork(len(SHAPE_CATEGORIES)).eval()
    load_stored_state(network, stored)
    right, shown = count_right(network, n_batches=20)
    logger.info("held out: %d of %d right", right, shown)
    facts = {
        "classes": list(SHAPE_CATEGORIES),
        "held_out": {"right": right, "shown": shown, "seed": HELD_OUT_SEED},
        "training": {
            "steps": arguments.steps,
            "batch_size": BATCH_SIZE,
            "seed": TRAINING_SEED,
            "torch": torch.__version__,
        },
    }
    # One key: the order of several would differ from run to run.
    write_bytes(arguments.out, save(stored, metadata={"beholder": json.dumps(facts, sort_keys=True)}))
    logger.info("wrote %s, %d bytes", arguments.out, arguments.out.stat().st_size)


if __name__ == "__main__":
    main()
