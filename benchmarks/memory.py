"""Peak memory of an extraction beyond the loaded model, at 10,000 and 100,000 pictures.

Usage: python benchmarks/memory.py [N ...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap

CODE = textwrap.dedent(
    """
    import resource, sys, tempfile
    import numpy as np, torch, torchvision
    import beholder as bh
    from beholder.models import ImagePreprocessing

    class Drawn:
        dtype = np.dtype(np.uint8)
        def __init__(self, n): self.shape = (n, 64, 64, 3)
        def __len__(self): return self.shape[0]
        def __getitem__(self, i):
            return np.random.default_rng(int(i)).integers(0, 255, (64, 64, 3), dtype=np.uint8)

    n, out = int(sys.argv[1]), sys.argv[2]
    net = bh.wrap(torchvision.models.squeezenet1_1(), ImagePreprocessing(resize=64, crop=(64, 64)), name="net")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bh.extract(net, bh.StimulusSet.from_arrays(Drawn(n), kind="image"), ["features.6"], out_path=out, pool="mean")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) / 1024)
    """
)


def main() -> None:
    """Print one line a size."""
    for n in [int(a) for a in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as out:
            result = subprocess.run(
                [sys.executable, "-c", CODE, str(n), out], capture_output=True, text=True, check=True
            )
        print(f"{n:>8} pictures: {float(result.stdout.split()[-1]):8.0f} MB beyond the model", flush=True)


if __name__ == "__main__":
    main()
