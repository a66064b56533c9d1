"""Train the bundled network ``beholder:syllables`` and write its weights.

Every training sound is spoken afresh, so nothing is heard twice; held-out sounds come from another seed. One thread and
one seed: the same machine type and versions give the same file again. About ten minutes on one core::

    python tools/train_syllables.py --out src/beholder/models/_data/syllables-v1.safetensors
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
from beholder.models.nets._bundled import load_stored_state, to_stored_state
from beholder.models.nets._bundled_sound import BundledSoundNetwork
from beholder.stimuli import SYLLABLE_CATEGORIES, make_syllable

logger = logging.getLogger("beholder")

TRAINING_SEED = 1
HELD_OUT_SEED = 2
BATCH_SIZE = 48
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.05


def draw_batch(seed: int, step: int, n: int) -> tuple[Tensor, Tensor]:
    """Sounds, (n, 16000) of RMS 0.1, and their categories, (n,), for one step of training."""
    rng = make_generator(seed, "batch", step)
    targets = rng.permutation(np.arange(n) % len(SYLLABLE_CATEGORIES))
    sounds = [
        make_syllable(SYLLABLE_CATEGORIES[target], derive_seed(seed, "sound", step, i))
        for i, target in enumerate(targets)
    ]
    return torch.from_numpy(np.stack(sounds)), torch.from_numpy(targets)


def train_network(n_steps: int) -> BundledSoundNetwork:
    """Train with AdamW and a rate that rises, then falls to nothing."""
    torch.manual_seed(TRAINING_SEED)
    network = BundledSoundNetwork(len(SYLLABLE_CATEGORIES)).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=n_steps, pct_start=0.2)
    start = time.monotonic()
    for step in range(n_steps):
        sounds, targets = draw_batch(TRAINING_SEED, step, BATCH_SIZE)
        logits = network(sounds)
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
def count_right(network: BundledSoundNetwork, n_batches: int) -> tuple[int, int]:
    """Right answers and sounds heard, on sounds that training never drew."""
    right = shown = 0
    for step in range(n_batches):
        sounds, targets = draw_batch(HELD_OUT_SEED, step, 64)
        right += int((network(sounds).argmax(1) == targets).sum())
        shown += len(targets)
    return right, shown


def main() -> None:
    """Train, round to what is stored, measure, write."""
    from safetensors.torch import save

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("src/beholder/models/_data/syllables-v1.safetensors"))
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    stored = to_stored_state(train_network(arguments.steps).state_dict())
    network = BundledSoundNetwork(len(SYLLABLE_CATEGORIES)).eval()
    load_stored_state(network, stored)
    right, shown = count_right(network, n_batches=20)
    logger.info("held out: %d of %d right", right, shown)
    facts = {
        "classes": list(SYLLABLE_CATEGORIES),
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
