# %% [markdown]
# # You used Model Metamers
#
# Metamers from any network without a change to its `forward`, random pairs to test them by, other networks'
# verdicts: the same scripts as commands, the same files in a model directory, in a fraction of the 24,000 steps.
#
# ## The same calls
#
# ```text
# python make_metamers_imagenet_16_category_val_400_only_save_metamer_layers.py 0 -D DIR -I 3000 -N 8
# python make_null_distributions.py -N 100 -I 0 -R 0 --shuffle -D DIR
# python imagenet_network_network_comparisons.py NET
# ```
#
# become `beholder metamers make`, `null` and `judge` with the same flags; `--recipe published` takes the published
# loss and steps. `beholder metamers template DIR` writes a model directory; `build_network.py` is read as it is.
# This page does the three on the networks that come with the package.

# %%
import beholder as bh
from beholder.stimuli import draw_shapes_set

pictures = draw_shapes_set("images", n_per_category=1)
layers = ["block2", "block4", "classifier"]

# %% [markdown]
# ## Random pairs first
#
# How alike are two pictures that have nothing to do with each other? Sixteen pictures make 120 pairs; the study
# took a million.

# %%
null = bh.null_distribution(
    "beholder:shapes", pictures, layers, n_pairs=120, out_path="null_dist"
)
null.plot()

# %% [markdown]
# ## Metamers
#
# Of two pictures at three layers, at most 20 evaluations each; without `iterations` they go on until 45 dB.

# %%
chosen = pictures[["star_0000", "spiral_0000"]]
metamers = bh.make_metamers(
    "beholder:shapes", chosen, layers, iterations=20, out_path="metamers"
)
metamers.plot()

# %% [markdown]
# Each is tested as saved, with its 8 bits: it passes where it is more alike than every random pair, and has the
# same name.

# %%
metamers.to_summary()

# %% [markdown]
# ## What others make of them
#
# The network's adversarially trained twin is asked about the same files.

# %%
verdicts = bh.judge_metamers(
    "metamers", ["beholder:shapes", "beholder:shapes-robust"]
)
verdicts.plot()

# %% [markdown]
# ## More
#
# - In a notebook, `metamers` is a picker of stimulus and layer; sounds have players: [hearing](hearing.md).
# - [Observers by name](../observers.md): the study's networks, with their layers and checkpoints;
#   [assets](../assets.md): its stimuli and its people's answers.
# - `beholder tasks plan --kind recognition -s metamers/shapes` asks people, and `beholder analyze recognition` puts
#   them beside the networks; `beholder replicate OBSERVER` does the study's whole set for one network.
