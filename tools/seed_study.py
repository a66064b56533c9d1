"""Do other networks recognise metamers of adversarially trained networks more often? Several training seeds a side.

    python tools/seed_study.py --out seed_study

For each seed a standard and an adversarially trained picture network are trained from the same random weights on the
same drawn pictures, by the presets of the bundled networks, attacked, and given metamers of held-out pictures at the
last layer. The metamers of a seed's two networks are judged by the networks of all *other* seeds: the same judges for
both. The differences between the two, one a seed, have Student's interval over seeds.

Whatever is done is kept: the same command goes on where it was stopped. Two networks at a time, one core each; about
an hour on two cores. ``--page docs/bundled.md`` puts the tables into the documentation. Seed 1's two networks are
those that come with the package.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pages import fill_page

import beholder as bh
from beholder.statistics import compute_mean_interval
from beholder.stimuli import StimulusSet, draw_shapes_set

logger = logging.getLogger("beholder")

PRESETS = {"standard": "shapes.toml", "robust": "shapes-robust.toml"}
LAYER = "classifier"
PICTURES_SEED = 2
EPS = 3.0
AUGMENT = ("flip", "jitter=0.3")
ACCURACIES = {"none": "clean", "pgd": "pgd", "apgd-ce": "apgd"}


@dataclass(frozen=True)
class Study:
    """How large the study is; :func:`main` has the meaning of each."""

    out: str
    seeds: int
    epochs: int
    n_drawn: int
    n_drawn_validation: int
    n_per_category: int
    n_attacked: int
    attack_steps: int
    iterations: int
    n_pairs: int

    @property
    def folder(self) -> Path:
        """Of everything."""
        return Path(self.out)

    def find_weights(self, side: str, seed: int) -> Path:
        """The file of a network's weights, whose name tells networks apart in tables and paths."""
        return self.folder / "networks" / f"{side}-{seed}.safetensors"


def make_network(task: tuple[Study, str, int]) -> str:
    """Train one network and make its metamers; its name."""
    study, side, seed = task
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format=f"{side} {seed}: %(message)s", force=True)
    folder, weights = study.folder, study.find_weights(side, seed)
    name = f"beholder:shapes@{weights}"
    run = folder / "runs" / f"{side}-{seed}"
    bh.train(
        "beholder:shapes@random", "shapes", preset=Path(__file__).parent / "networks" / PRESETS[side], out_path=run,
        seed=seed, weights_seed=seed, epochs=study.epochs, n_drawn=study.n_drawn,
        n_drawn_validation=study.n_drawn_validation, augment=AUGMENT, device="cpu", threads=1,
    )  # fmt: skip
    weights.parent.mkdir(exist_ok=True)
    shutil.copyfile(run / "checkpoints" / "best.safetensors", weights)
    pictures = StimulusSet.from_folder(folder / "pictures")
    common = {"device": "cpu", "threads": 1}
    bh.null_distribution(name, pictures, [LAYER], n_pairs=study.n_pairs, out_path=folder / "null_dist", device="cpu")
    bh.make_metamers(
        name, pictures, [LAYER], measured=[LAYER], iterations=study.iterations, out_path=folder / "metamers", **common
    )
    return name


def attack_networks(study: Study, names: list[str]) -> dict[str, dict[str, float]]:
    """Accuracy on pictures that training never drew, as they are and attacked, by network."""
    pictures = draw_shapes_set(study.folder / "attacked_pictures", -(-study.n_attacked // 16), PICTURES_SEED + 1)
    found = bh.evaluate_adversarial(
        names, pictures, norm="l2", eps=EPS, attacks=["pgd", "apgd-ce"], steps=study.attack_steps,
        apgd_steps=study.attack_steps, n_checked=0, out_path=study.folder / "attacked", device="cpu",
        workers=2, threads=1,
    )  # fmt: skip
    accuracies: dict[str, dict[str, float]] = {}
    for row in found.table.to_dict("records"):
        if row["attack"] in ACCURACIES:
            accuracies.setdefault(str(row["model"]), {})[ACCURACIES[row["attack"]]] = float(row["estimate"])
    return accuracies


def count_recognised(verdicts: Any, study: Study) -> pd.DataFrame:
    """How often the networks of other seeds are right about each network's metamers: a row a network."""
    table = verdicts.select_metamers(failed=True)
    sides = {f"beholder:shapes@{side}-{seed}": (side, seed) for side in PRESETS for seed in range(1, study.seeds + 1)}
    rows = []
    for name, (side, seed) in sides.items():
        own = table[table["model"] == name]
        right = {
            kind: own.loc[
                [j in sides and sides[j][1] != seed and sides[j][0] in kinds for j in own["judge"]], "correct"
            ]
            for kind, kinds in {"all": tuple(PRESETS), "standard": ("standard",), "robust": ("robust",)}.items()
        }
        told = {f"recognised by {kind}": float(values.mean()) for kind, values in right.items()}
        rows.append({"network": name, "side": side, "seed": seed, **told, "n judgements": len(right["all"])})
    return pd.DataFrame(rows)


def compare_sides(table: pd.DataFrame, column: str) -> dict[str, float]:
    """Robust minus standard, seed by seed, with Student's 95 % interval over seeds."""
    wide: Any = table.pivot(index="seed", columns="side", values=column)
    differences = wide["robust"] - wide["standard"]
    found = compute_mean_interval(differences)
    return {
        "standard": float(wide["standard"].mean()), "robust": float(wide["robust"].mean()),
        "difference": found.estimate, "low": found.low, "high": found.high, "n seeds": found.n,
        "n above 0": int((differences > 0).sum()),
    }  # fmt: skip


def format_tables(table: pd.DataFrame, summary: pd.DataFrame) -> str:
    """Both tables in Markdown, percent."""
    shares = [name for name in table.columns if name in ACCURACIES.values() or name.startswith("recognised")]
    lines = [f"| seed | trained | {' | '.join(shares)} |", "|" + "---|" * (len(shares) + 2)]
    for row in table.sort_values(["seed", "side"], ascending=[True, False]).to_dict("records"):
        lines.append(f"| {row['seed']} | {row['side']} | {' | '.join(f'{100 * row[name]:.0f}' for name in shares)} |")
    lines += ["", "| % | standard | robust | difference | 95 % interval |", "|---|---|---|---|---|"]
    for name, row in summary.iterrows():
        ends = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
        means = " | ".join(f"{100 * row[each]:.1f}" for each in ("standard", "robust", "difference"))
        lines.append(f"| {name} | {means} | {ends} |")
    return "\n".join([*lines, ""])


def tell_finding(found: Any, n_seeds: int) -> str:
    """One sentence: whether other networks recognise the metamers of either side more often."""
    told = (
        f"other networks recognise {100 * found['robust']:.0f} % of the metamers of adversarially trained networks and "
        f"{100 * found['standard']:.0f} % of those of standard ones, a difference of {100 * found['difference']:.1f} "
        f"points (95 % interval over {n_seeds} seeds {100 * found['low']:.1f} to {100 * found['high']:.1f}); "
        f"it is above 0 in {found['n above 0']:.0f} of the {n_seeds} seeds"
    )
    if found["low"] > 0:
        return f"The finding shows: {told}."
    if found["high"] < 0:
        return f"The opposite of the finding shows: {told}."
    return f"These networks do not show the finding: {told}."


def run_study(study: Study, workers: int = 2) -> pd.DataFrame:
    """Everything; the summary, a row a measure."""
    study.folder.mkdir(parents=True, exist_ok=True)
    draw_shapes_set(study.folder / "pictures", study.n_per_category, PICTURES_SEED)
    tasks = [(study, side, seed) for seed in range(1, study.seeds + 1) for side in ("robust", "standard")]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        names = pool.map(make_network, tasks, chunksize=1)
    accuracies = attack_networks(study, names)
    table = count_recognised(bh.judge_metamers(study.folder / "metamers", names, device="cpu"), study)
    for column in ACCURACIES.values():
        table[column] = [accuracies[name][column] for name in table["network"]]
    measures = [name for name in table.columns if name in ACCURACIES.values() or name.startswith("recognised")]
    summary = pd.DataFrame({name: compare_sides(table, name) for name in measures}).T
    table.to_csv(study.folder / "networks.csv", index=False)
    summary.to_csv(study.folder / "summary.csv", index_label="measure")
    finding = tell_finding(summary.loc["recognised by all"], study.seeds)
    (study.folder / "tables.md").write_text(f"{finding}\n\n{format_tables(table, summary)}", encoding="utf-8")
    return summary


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="seed_study", help="folder of everything")
    parser.add_argument("--seeds", type=int, default=5, help="training seeds a side, from 1 on")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--n_drawn", type=int, default=4800, help="pictures an epoch")
    parser.add_argument(
        "--n_drawn_validation", type=int, default=160, help="pictures that choose the epoch that is kept"
    )
    parser.add_argument(
        "--n_per_category", type=int, default=2, help="pictures of each category that metamers are made of"
    )
    parser.add_argument("--n_attacked", type=int, default=96, help="other pictures, which are attacked")
    parser.add_argument("--attack_steps", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=60, help="evaluations a metamer")
    parser.add_argument("--n_pairs", type=int, default=100, help="pairs of the null distribution")
    parser.add_argument("--workers", type=int, default=2, help="networks at a time, a core each")
    parser.add_argument("--page", type=Path, help="a page of the documentation that gets the tables")
    given = vars(parser.parse_args())
    workers, page = given.pop("workers"), given.pop("page")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    study = Study(**given)
    summary = run_study(study, workers)
    (study.folder / "settings.json").write_text(json.dumps(asdict(study), indent=1) + "\n", encoding="utf-8")
    print(summary.round(3).to_string())
    if page is not None:
        fill_page(page, "seed study", (study.folder / "tables.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
