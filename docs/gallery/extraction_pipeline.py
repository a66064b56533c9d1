# %% [markdown]
# # You used the Activation Extraction Pipeline
#
# Folders of stimuli, shown several times to a panel of networks, one HDF5 file a folder: the same flags, layout and
# lazy reader, and the comparisons that came after, RSA and tuning, as one call each.
#
# ## Stimuli
#
# Gratings of twelve orientations, three of each, in a folder of their own.

# %%
from pathlib import Path

import numpy as np
from PIL import Image

import beholder as bh

Path("stimuli/gratings").mkdir(parents=True)
y, x = np.mgrid[:160, :160] - 80
orientations = np.repeat(np.arange(0, 180, 15), 3)
for number, degrees in enumerate(orientations):
    angle, phase = np.deg2rad(degrees), 2 * np.pi * number / 7
    wave = np.cos(
        2 * np.pi * 0.06 * (x * np.cos(angle) + y * np.sin(angle)) + phase
    )
    window = np.exp(-(x**2 + y**2) / (2 * 40**2))
    picture = Image.fromarray(np.uint8(127.5 + 127.5 * wave * window))
    picture.save(f"stimuli/gratings/{degrees:03d}_{number % 3}.png")

# %% [markdown]
# ## The same call
#
# ```text
# python runners/run_extract_activations.py --stimuli_root stimuli --folders gratings --output_dir activations \
#     --models ResNet50 CORNet-S --replicates 4 --auto_confirm
# ```
#
# becomes `beholder panel` with the same flags. Here with the two networks of pictures that come with the package:
#
# ```console
# $ beholder panel --stimuli_root stimuli --folders gratings --output_dir activations \
#     --models beholder:shapes beholder:shapes-robust --replicates 2 --pool mean --auto_confirm
# ```

# %%
models = ["beholder:shapes", "beholder:shapes-robust"]
(file,) = bh.extract_panel(
    "stimuli",
    "activations",
    folders=["gratings"],
    models=models,
    replicates=2,
    pool="mean",
)
file

# %% [markdown]
# ## The same file, the same reader

# %%
import h5py

with h5py.File(file) as stored:
    print(
        list(stored),
        list(stored["shapes"])[:3],
        stored["shapes"]["000_0"]["block3"].shape,
    )

# %%
from beholder.activations import get_available_layers, load_lazy_activations

lazy = load_lazy_activations(file)
print(get_available_layers(file, "shapes"), lazy["shapes"]["045_1"]["block3"].shape)
lazy.close()

# %% [markdown]
# ## More: representational similarity
#
# Each network's activations also lie in a store, `….stores/{model}.zarr`, which every analysis reads. Orientation
# is circular: near orientations are alike, and 165° is next to 0°.

# %%
from beholder.figures import plot_rdms

stores = {
    model: bh.open(f"activations/model_activations_gratings.stores/{model}.zarr")
    for model in ("shapes", "shapes-robust")
}
labels = [f"{degrees}°" for degrees in orientations]
plot_rdms(
    {name: bh.compute_rdm(store["block2"]) for name, store in stores.items()},
    categories=labels,
)

# %% [markdown]
# Are the two networks' layers alike?

# %%
bh.analyze_cka(stores["shapes"], stores["shapes-robust"], n_permutations=0).plot()

# %% [markdown]
# ## More: tuning curves

# %%
tuning = bh.analyze_tuning(
    stores["shapes"],
    orientations,
    layers=["block1", "block2", "block3"],
    period=180,
    n_permutations=50,
)
tuning.plot()
