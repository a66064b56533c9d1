"""Read a panel's HDF5 file or an activation store.

python examples/read_activations.py model_activations_semantic.h5 --model ResNet50 --show_layers
python examples/read_activations.py activations/shapes.zarr --stimulus star_0000
"""

import argparse
import sys

import beholder as bh
from beholder.activations import load_lazy_activations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a panel .h5 file, a .zarr store, or a folder of stores")
    parser.add_argument("--model", help="default the first")
    parser.add_argument("--stimulus", help="default the first")
    parser.add_argument("--show_layers", action="store_true", help="list every layer with its shape")
    parser.add_argument("--average", action="store_true", help="mean over replicates")
    arguments = parser.parse_args()

    acts = load_lazy_activations(arguments.file, average=arguments.average)
    print(f"models: {', '.join(acts.keys())}")
    model = arguments.model or acts.keys()[0]
    stimuli = acts[model].keys()
    print(f"{model}: {len(stimuli)} stimuli, such as {', '.join(stimuli[:3])}")
    stimulus = arguments.stimulus or stimuli[0]
    layers = acts[model][stimulus].keys()
    print(f"{stimulus}: {len(layers)} layers")
    for layer in layers if arguments.show_layers else layers[:1]:
        values = acts[model][stimulus][layer]
        print(f"  {layer}: {values.shape} {values.dtype}, mean {values.mean():.4g}")
    acts.close()


if __name__ == "__main__":
    try:
        main()
    except bh.BeholderError as error:  # says what was expected, what came and what to try
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
