# %% [markdown]
# # Interpretability: a module of your own
#
# Wrap a PyTorch module as it is, find and draw what drives its units, ask people whether they see it, and tell who
# agreed with whom.
#
# ## The module
#
# Any `torch.nn.Module` does. This one has units whose preference is known: pairs of oriented filters, as in primary
# visual cortex, whose energy each unit sums, 8 orientations at 2 spatial frequencies.

# %%
import numpy as np
import torch

import beholder as bh
from beholder.stimuli import draw_shapes_set


def make_gabors(size: int = 21) -> torch.Tensor:
    y, x = np.mgrid[:size, :size] - size // 2
    filters = []
    for cycles in (0.08, 0.16):  # a pixel
        for angle in np.arange(8) * np.pi / 8:
            along = x * np.cos(angle) + y * np.sin(angle)
            window = np.exp(-(x**2 + y**2) / (2 * (0.4 / cycles) ** 2))
            for phase in (0, np.pi / 2):
                wave = window * np.cos(2 * np.pi * cycles * along + phase)
                filters.append((wave - wave.mean()) / np.abs(wave).sum())
    return torch.tensor(np.array(filters), dtype=torch.float32)[:, None]


class EnergyModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = torch.nn.Conv2d(1, 32, 21, stride=2, bias=False)
        self.filters.weight.data = make_gabors()
        self.energy = torch.nn.Identity()

    def forward(self, pictures):
        pairs = self.filters(pictures.mean(1, keepdim=True)).square()
        return self.energy((pairs[:, ::2] + pairs[:, 1::2]).sqrt())


# %% [markdown]
# ## Wrap it
#
# `preprocess` says what a picture file goes through, `input_shape` what comes out. The module stays as it is.

# %%
net = bh.wrap(EnergyModel(), preprocess={"resize": 96, "crop": 96}, name="energy")
bh.describe_layers(net)

# %% [markdown]
# ## What drives a unit
#
# Among pictures, and made from noise: the first unit wants vertical stripes, the fifth horizontal ones.

# %%
pictures = draw_shapes_set("pictures", n_per_category=3)
units = [f"energy:{channel}" for channel in range(16)]
acts = bh.record_units(net, pictures, units)
bh.find_exemplars(acts, "energy:4", top=5).plot()

# %%
bh.visualize(net, ["energy:0", "energy:2", "energy:4", "energy:6"], steps=32)

# %% [markdown]
# ## Do people see it?
#
# Each trial shows pictures that drive a unit much and little, and asks which of two further ones drives it more:
# sixteen units, sixteen trials.

# %%
from beholder.experiments import build_tasks, plan_choice, simulate_participants

exemplars = bh.find_exemplars(acts, units, num_batches=2)
folder = bh.write_exemplars(exemplars, "stimuli")
plan = plan_choice(folder, n_trials=16, n_tasks=2, n_catch=0)
experiment = build_tasks(plan, "experiment")
experiment

# %% [markdown]
# A second person opens the link of `beholder tasks serve experiment --db answers.sqlite --lan`. Here simulated ones
# take the same experiment over the same server: three who look at pictures as a network's `block3` does, and three
# who see what is right and slip in three of ten trials.

# %%
from beholder.evaluation import NetworkObserver

shapes = bh.load_model("beholder:shapes")
eye = NetworkObserver(shapes, experiment, layer="block3", temperature=0.05)
simulate_participants(experiment, "answers.sqlite", 3, eye)
simulate_participants(experiment, "answers.sqlite", 6, "lapse:0.3")

# %% [markdown]
# ## Who agreed with whom
#
# How often each was right, and whether two people fail on the same units more often than their accuracies alone
# would have it (error consistency, 0 by chance).

# %%
from beholder.responses import export_responses

answers = export_responses("answers.sqlite", "answers").responses.trials
answers.groupby("participant")["correct"].mean()

# %%
agreement = bh.analyze_agreement("answers", include_excluded=True)
pairs = agreement.table.query("statistic == 'pair'")
pairs.pivot(index="subject", columns="other", values="estimate").round(2)

# %%
agreement.plot()
