# %% [markdown]
# # Hearing: ten sounds of your own
#
# From ten recordings to their cochleagrams, to what the layers of a network of sounds make of them, to a metamer
# that you can listen to, with its verdict.
#
# ## The sounds
#
# Yours are any folder of wav or flac files; these are spoken by code.

# %%
import beholder as bh
from beholder.stimuli import draw_syllables_set

draw_syllables_set("sounds", n_per_category=1)

sounds = bh.StimulusSet.from_folder("sounds")[:10]
sounds

# %% [markdown]
# ## The cochleagram and the layers
#
# The network's first layer is a cochleagram: what reaches the brain from the ear, frequency by time.
# `beholder:syllables` is small and comes with the package; the networks of the published studies are
# `"audio:cochcnn9"` and `"audio:cochresnet50"`.

# %%
net = bh.load_model("beholder:syllables")
layers = ["cochleagram", "block1", "block2", "block3", "block4", "classifier"]
acts = bh.extract(net, sounds, layers)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(
    2, 5, figsize=(9, 3.2), sharex=True, sharey=True, layout="constrained"
)
for ax, cochleagram, name in zip(
    axes.flat, acts["cochleagram"].to_numpy(), sounds.ids, strict=True
):
    ax.imshow(cochleagram, origin="lower", aspect="auto")
    ax.set_title(name, fontsize=8)
figure.supxlabel("Time (frames of 10 ms)", fontsize=8)
figure.supylabel("Frequency (channel)", fontsize=8)

# %% [markdown]
# A row and a column a sound; dark is alike. To the cochleagram, sounds are alike that begin at the same time; to the
# classifier, those that begin with the same consonant.

# %%
from beholder.figures import plot_rdms

plot_rdms(
    {layer: bh.compute_rdm(acts[layer]) for layer in layers},
    categories=sounds.labels,
)

# %% [markdown]
# ## A metamer with its verdict
#
# A sound made from noise that a layer cannot tell from the original. Random pairs of sounds say how alike two
# sounds are to the layer anyway: all 45 pairs of ten here, ten thousand in a study.

# %%
matched = ["cochleagram", "block3"]
bh.null_distribution(net, sounds, matched, out_path="null_dist")
metamers = bh.make_metamers(
    net, sounds[:1], matched, iterations=20, out_path="metamers"
)
metamers

# %%
metamers.to_summary()
