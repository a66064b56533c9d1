"""Peak memory of an extraction beyond the loaded model, at 10,000 and 100,000 pictures read from an HDF5 file.

Usage: python benchmarks/memory.py [N ...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap

CODE = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    import h5py, numpy as np, torchvision
    import beholder as bh
    from beholder.models import ImagePreprocessing

    n, out = int(sys.argv[1]), Path(sys.argv[2])
    with h5py.File(out / "pictures.h5", "w") as file:
        pictures = file.create_dataset("pictures", (n, 32, 32, 3), "u1")
        for i in range(0, n, 1000):
            rows = min(1000, n - i)
            pictures[i : i + rows] = np.random.default_rng(i).integers(0, 255, (rows, 32, 32, 3), dtype=np.uint8)
    net = bh.wrap(torchvision.models.squeezenet1_1(), ImagePreprocessing(resize=64, crop=(64, 64)), name="net")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bh.extract(net, bh.StimulusSet.from_hdf5(out / "pictures.h5"), ["features.6"], out_path=out, pool="mean")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) / 1024)
    """
)


def main() -> None:
    """Print one line a size."""
    for n in [int(a) for a in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-c", CODE, str(n), out]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{n:>8} pictures: {float(result.stdout.split()[-1]):8.0f} MB beyond the model", flush=True)


if __name__ == "__main__":
    main()
