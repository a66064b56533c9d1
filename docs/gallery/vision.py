# %% [markdown]
# # Vision: a folder of pictures of your own
#
# You have some forty pictures and a network. Get features as a table, a map of what the network takes for alike,
# what drives two of its units, a picture that it cannot tell from one of yours, and an experiment on a colleague's
# screen.
#
# ## The pictures
#
# Yours are any folder; these are drawn. With your own, leave out the line that draws, and put the folder's name; with a
# network of yours, also its name and those of its layers, which `bh.describe_layers(net)` lists.

# %%
import beholder as bh
from beholder.stimuli import draw_shapes_set

draw_shapes_set("pictures", n_per_category=3)

pictures = bh.StimulusSet.from_folder("pictures")
pictures

# %% [markdown]
# ## The network
#
# `beholder:shapes` is small and comes with the package. Any other is named the same way: `"resnet50"`,
# `"ViT-B/32"`, `"timm:convnext_tiny"`; `bh.list_models("resnet*")` tells which there are.

# %%
net = bh.load_model("beholder:shapes")
net

# %% [markdown]
# ## Features in pandas
#
# `extract` shows the pictures to the network once and keeps the layers on disk. Called again, it does nothing: it
# is done. `pool="mean"` keeps one number a channel, the mean over the picture.

# %%
acts = bh.extract(net, pictures, ["block3", "block5"], pool="mean")
features = acts["block5"].to_pandas()
features.to_csv("features.csv")
features.iloc[:4, :6]

# %% [markdown]
# ## A similarity map
#
# Pictures that the layer has alike lie near one another.

# %%
rdm = bh.compute_rdm(acts["block5"])
bh.plot_similarity_map(rdm, pictures)

# %% [markdown]
# The same as a matrix of dissimilarities, and as a list of the nearest to one picture.

# %%
bh.plot_rdm(rdm, categories=pictures.labels)

# %%
acts["block5"].nearest(pictures.ids[0], 4)

# %% [markdown]
# ## What drives two units
#
# Among your pictures, those that drive each most and least; and pictures made to drive it.

# %%
units = ["block3:5", "block5:40"]
bh.find_exemplars(acts, units, top=5)

# %%
bh.visualize(net, units, steps=32)

# %% [markdown]
# ## A metamer
#
# A picture made from noise that a layer cannot tell from yours. Random pairs of your pictures say how alike two
# pictures are to the layer anyway; a metamer passes when it is more alike than every pair, and the network gives it
# the same name.

# %%
layers = ["block2", "block4", "classifier"]
bh.null_distribution(net, pictures, layers, n_pairs=60, out_path="null_dist")
metamers = bh.make_metamers(
    net, pictures[:1], layers, iterations=20, out_path="metamers"
)
metamers.plot()

# %%
metamers.to_summary()

# %% [markdown]
# ## An experiment on a colleague's screen
#
# Which of three pictures is the odd one out? Twelve pictures, twenty triplets.

# %%
settings = bh.experiments.make_settings(kind="odd_one_out")
plan = bh.experiments.plan_similarity(
    pictures[::4], n_trials=20, n_tasks=2, settings=settings
)
experiment = bh.experiments.build_tasks(plan, "experiment")
experiment

# %% [markdown]
# A colleague in the same network opens the link that this prints; Ctrl-C ends it:
#
# ```sh
# beholder tasks serve experiment --db answers.sqlite --lan
# ```
#
# Rehearse before anybody is asked: simulated participants answer over the same server.

# %%
bh.experiments.simulate_participants(experiment, "rehearsal.sqlite", 2)
