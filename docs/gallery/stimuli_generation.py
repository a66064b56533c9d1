# %% [markdown]
# # You used the Stimuli Generation scripts
#
# Units, the stimuli that drive them, stimuli made to drive them, and an experiment on them: the five steps with the
# same flags, folders and file names, all layers in one pass, without pickles.
#
# ## The same calls
#
# | step | you typed | now |
# |---|---|---|
# | 1 | `python sample_units.py …` | `beholder units sample …` |
# | 2 | `python collect_activations.py …` | `beholder units record …` |
# | 2 | `python extract_exemplars.py …` | `beholder units exemplars …` |
# | 3 | `python get_optimized_stimuli.py …` | `beholder units optimize …` |
# | 4 | `python create_task_structure_json.py …` | `beholder tasks plan …` |
# | 5 | `python create_task_structure_from_json.py …` | `beholder tasks build …` |
#
# The same in Python, on the network and the pictures that come with the package; `"resnet50-l2"` is a name, too.

# %%
import beholder as bh
from beholder.stimuli import draw_shapes_set

pictures = draw_shapes_set("images", n_per_category=4)
net = bh.load_model("beholder:shapes")

# %% [markdown]
# ## Steps 1 and 2: units and their exemplars

# %%
units = bh.sample_units(
    net, n_units=2, seed=1, layers=["block3", "block4", "block5"]
)
units.save("units.json")
acts = bh.record_units(net, pictures, units)
exemplars = bh.find_exemplars(acts, units, num_batches=3)
folder = bh.write_exemplars(exemplars, "stimuli", stimuli=pictures, model=net)
exemplars.plot(unit=0)

# %% [markdown]
# ## Step 3: optimised stimuli
#
# Two images a sign in 12 steps here, ten in 64 by default; each is placed on the distribution of the natural ones.

# %%
made = bh.optimize_units(
    net,
    units,
    n_images=2,
    activations=acts,
    out_path="stimuli",
    steps=12,
    diversity=1.0,
)
made

# %%
made.plot(unit=0)

# %% [markdown]
# ## Steps 4 and 5: the tasks

# %%
from beholder.experiments import build_tasks, plan_choice

plan = plan_choice(folder, n_trials=2, n_tasks=4, n_catch=1, n_batches=2)
plan.save("plan.json")
experiment = build_tasks(plan, "exp_data")
experiment

# %%
sorted(
    path.relative_to("exp_data").as_posix()
    for path in experiment.path.glob("task_1/trials/trial_1/**/*.png")
)[:4]

# %% [markdown]
# ## More: the experiment itself
#
# `beholder tasks serve exp_data --db answers.sqlite` is the experiment in a browser, `beholder tasks simulate`
# rehearses it, and `beholder report stimuli` is a page with a card for each unit. [From units to data in ten
# steps](../experiments.md) goes on.

# %%
page = bh.write_report("stimuli")
page.name, f"{page.stat().st_size / 1e6:.1f} MB"
