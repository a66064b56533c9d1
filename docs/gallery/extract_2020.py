# %% [markdown]
# # You used `extract.py` (2020)
#
# The scripts of *Extract hidden unit activations at specific layer of a state-of-the-art torchvision model*: the
# same flags, the same files, and all layers in one pass, read where you index them.
#
# ## The same call
#
# ```text
# python extract.py --model_name alexnet --module_name classifier.4 --batch_size 32 \
#     --in_path ./images/ --out_path ./activations/
# ```
#
# becomes `beholder extract` with the same flags; `beholder layers alexnet` lists the layers that the old script
# printed, and `--interactive` asks for one. Here on the network that comes with the package, and on drawn pictures
# in class folders:

# %%
import beholder as bh
from beholder.stimuli import draw_shapes_set

draw_shapes_set("images", n_per_category=3)

# %% [markdown]
# ```console
# $ beholder extract --model_name beholder:shapes --module_name classifier --batch_size 32 \
#     --in_path ./images/ --out_path ./activations/
# $ beholder show activations/shapes.zarr
# ```
#
# In Python:

# %%
acts = bh.extract(
    "beholder:shapes",
    "images",
    ["classifier"],
    batch_size=32,
    out_path="activations",
)
acts["classifier"]

# %% [markdown]
# ## The same files
#
# `--file_format .txt` (`.npy`, `.mat`, `.csv`, `.pt`, …) writes what the old script wrote, with `targets` beside.
# Matrices of 4-way tensors that it left are read as before, and merged as before.

# %%
from beholder.activations import slices2tensor, tensor2slices

values = acts["classifier"].to_numpy()
acts["classifier"].save("activations.txt")
tensor2slices(".", "maps.txt", values.reshape(48, 16, 1, 1))
(
    slices2tensor(".", "maps.txt").shape,
    values.shape,
    acts.stimuli["target"].to_numpy()[:6],
)

# %% [markdown]
# ## More: all layers in one pass
#
# Nothing has to fit in memory, so nothing has to be split. `pool="mean"` keeps one number a channel, `"none"` whole
# maps.

# %%
layers = ["block1", "block2", "block3", "block4", "block5", "classifier"]
acts = bh.extract(
    "beholder:shapes", "images", layers, pool="mean", out_path="means"
)
acts

# %% [markdown]
# Which layer has pictures of one category alike?

# %%
from beholder.figures import plot_rdms

plot_rdms(
    {layer: bh.compute_rdm(acts[layer]) for layer in layers}, categories=acts.labels
)

# %% [markdown]
# How much of the category can be read out of each, on pictures that the read-out has not seen?

# %%
bh.analyze_decode(acts, n_folds=3, n_permutations=0, classifier="centroid").plot()
