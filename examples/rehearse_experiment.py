"""An experiment rehearsed before anybody is invited: built, taken by observers of known skill, its data looked at.

python examples/rehearse_experiment.py                          # draws its own pictures, bundled network
python examples/rehearse_experiment.py --participants 20 --out rehearsal
"""

import argparse
import sys
import tempfile
from pathlib import Path

import beholder as bh
from beholder.experiments import Effect, build_tasks, make_settings, plan_choice, plan_power, simulate_participants
from beholder.responses import export_responses
from beholder.stimuli import draw_shapes_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=6)
    parser.add_argument("--out", help="folder for everything; default a temporary one")
    arguments = parser.parse_args()
    out = Path(arguments.out or tempfile.mkdtemp(prefix="rehearse_"))

    # Stimuli: exemplars of a few units.
    net = bh.load_model("beholder:shapes", device="cpu")
    pictures = draw_shapes_set(out / "pictures", n_per_category=3)
    units = bh.sample_units(net, 4, layers=["block3.norm", "block4.norm"])
    acts = bh.record_units(net, pictures, units, out_path=out / "activations")
    exemplars = bh.find_exemplars(acts, units, num_batches=2)
    folder = bh.write_exemplars(exemplars, out / "stimuli", stimuli=pictures, model=net)

    # An experiment: every unit once a participant, and a catch trial. So short, two rules would leave everybody out.
    settings = make_settings("zimmermann-2afc", {"exclusion.row_choices_min": 0, "exclusion.catch_ratio_min": None})
    plan = plan_choice(folder, out, n_trials=4, n_tasks=4, n_catch=1, n_batches=1, settings=settings)
    plan.save(out / "plan.json")
    experiment = build_tasks(plan, out / "tasks")
    print(experiment)

    # Observers whose share of right answers is known: 1 - lapses / 2.
    for observer in ("ideal", "lapse:0.2"):
        db = out / f"{observer.replace(':', '_')}.sqlite"
        print(simulate_participants(experiment, db, arguments.participants, observer))
        table = export_responses(db, out / "answers" / db.stem).responses.included
        main_trials = table[~table["catch_trial"].astype(bool)]
        print(main_trials.groupby("unit")["correct"].mean().astype(float).round(2).to_string())

    # And how many people would show a difference of five per cent?
    print(plan_power(Effect(0.8, 0.85), [20, 40], n_simulations=0))


if __name__ == "__main__":
    try:
        main()
    except bh.BeholderError as error:  # says what was expected, what came and what to try
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
