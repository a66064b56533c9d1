"""One network, a few layers, one folder of pictures.

python examples/single_model.py                                 # draws its own pictures, bundled network
python examples/single_model.py images/ --model resnet50 --layers layer1.0.conv1 layer4.2.conv3
"""

import argparse
import sys
import tempfile
from pathlib import Path

import beholder as bh
from beholder.stimuli import draw_shapes_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="folder of pictures; without it, some are drawn")
    parser.add_argument("--model", default="beholder:shapes", help="source:name[@weights] or an alias")
    parser.add_argument("--layers", nargs="+", help="layers; default the recorded ones, else the stages")
    parser.add_argument("--pool", default="none", choices=["none", "mean", "max", "cls", "center"])
    parser.add_argument("--out", help="folder for the store; default a temporary one")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()

    out = Path(arguments.out or tempfile.mkdtemp(prefix="single_model_"))
    if arguments.folder:
        stimuli = bh.StimulusSet.from_folder(arguments.folder)
    else:
        stimuli = draw_shapes_set(out / "pictures", n_per_category=1)

    net = bh.load_model(arguments.model, device=arguments.device)
    layers = arguments.layers or list(net.layers) or bh.select_layers(net, "stages")
    acts = bh.extract(net, stimuli, layers, pool=arguments.pool, out_path=out)

    print(net)
    print(stimuli)
    for name in acts.layers:
        layer = acts[name]
        sizes = ", ".join(f"{dim} {size}" for dim, size in zip(layer.dims, layer.shape, strict=True))
        print(f"{name}: {sizes}; share of values at or below zero {bh.sparsity(layer):.2f}")
    print(f"store: {acts.path}")


if __name__ == "__main__":
    try:
        main()
    except bh.BeholderError as error:  # says what was expected, what came and what to try
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
