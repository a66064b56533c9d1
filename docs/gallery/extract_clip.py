# %% [markdown]
# # You used `extract.py` with CLIP (2021)
#
# The scripts of *Extract features at specific layer of a state-of-the-art torchvision or CLIP model*: the same
# flags for centring, norms, ensembles and PCA, the same `clip` module, and zero-shot answers as a layer.
#
# ## The same call
#
# ```text
# python extract.py --model_name clip-ViT --module_name visual --pretrained --center_acts --normalize_reps \
#     --in_path ./images/
# ```
#
# becomes `beholder extract` with the same flags and the same names of models (`clip-ViT`, `clip-RN`, `ViT-32`,
# `RN50`, also `ViT-B/32`). CLIP's weights are some 350 MB and fetched once; this page runs on the network that
# comes with the package.

# %%
import beholder as bh
from beholder.stimuli import draw_shapes_set

pictures = draw_shapes_set("images", n_per_category=3)

# %% [markdown]
# ```console
# $ beholder extract --model_name beholder:shapes --module_name block5 --center_acts --normalize_reps \
#     --pool mean --in_path ./images/
# ```
#
# In Python the steps are a function of their own, so that one extraction serves several:

# %%
from beholder.activations import plan_steps

acts = bh.extract("beholder:shapes", pictures, ["block5"], pool="mean")
centred = bh.process_activations(
    acts, plan_steps(center_acts=True, normalize_reps=True)
)
centred

# %% [markdown]
# ## An ensemble of maps, compressed
#
# `conv_ensemble` is every convolution, joined; `--compress_acts` keeps the principal components that hold 90 % of
# the variance.

# %%
ensemble = bh.extract(
    "beholder:shapes", pictures, ["conv_ensemble"], pool="mean", out_path="ensemble"
)
compressed = bh.process_activations(ensemble, plan_steps(compress_acts=True))
print(
    ensemble.layers,
    ensemble[ensemble.layers[0]].shape,
    "->",
    compressed[compressed.layers[0]].shape,
)

# %% [markdown]
# ## `clip`, as it was
#
# Put `from beholder.models import clip` for `import clip`; `available_models`, `load`, `tokenize`, `encode_image`
# and `encode_text` are there, and `load("ViT-B/32")` reads the weights that you have.

# %%
from beholder.models import clip

print(clip.available_models())
print(clip.tokenize(["a photo of a dog", "a photo of a cat"]).shape)

# %% [markdown]
# ## More: what is near, and zero-shot answers as a layer
#
# Features answer "which pictures are similar to this one?" at once:

# %%
acts["block5"].nearest("ring_0000", 4)

# %%
bh.plot_similarity_map(bh.compute_rdm(centred["block5"]), pictures)

# %% [markdown]
# With CLIP's weights, a file of class names adds the layer `zero_shot`, 100 times the cosine of picture and class:
#
# ```sh
# beholder extract --model_name ViT-B/32 --pretrained --module_name visual --labels classes.txt --in_path ./images/
# ```
