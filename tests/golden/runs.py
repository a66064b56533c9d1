"""The golden runs: every command and function that writes files, on a few whole-numbered inputs.

A group is a list of steps in one folder, command lines or functions; what stands in it at the end is digested.
``inexact`` are patterns of files whose floating-point numbers hang on the machine, ``unseen`` those of files that
another group looks at.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from unittest import mock

from tests.golden import inputs
from tests.golden.reading import Parts, digest, read_bytes, read_parts

Step = str | Callable[[], None]


@dataclass(frozen=True)
class Group:
    """Steps, and what of their output is exact on one machine alone."""

    steps: tuple[Step, ...]
    inexact: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def extract(words: str, out: str, model: str = "toy -mn conv head", images: str = "images") -> str:
    """A command line."""
    return f"extract -m {model} -ip {images} -op {out} --device cpu --threads 1 {words}"


def save_layers() -> None:
    """What Python's functions write of activations."""
    import numpy as np

    import beholder as bh
    from beholder.report import write_rdms

    acts = bh.open("plain/toy.zarr")
    for suffix in ("npy", "csv", "mat", "h5", "txt", "pt"):
        acts["head"].save(f"saved/head.{suffix}")
    rdm = np.asarray(bh.compute_rdm(acts["conv"].to_numpy(), method="euclidean"))
    write_rdms("saved/toy.rdms.npz", np.rint(rdm)[None, None], layers=["conv"], measures=["euclidean"],
               stimulus_ids=acts.stimulus_ids, categories=["circle", "square"] * 4, model="toy")  # fmt: skip


def draw_sets() -> None:
    """The drawn sets, one stimulus of each kind."""
    from beholder.stimuli import draw_shapes_set, draw_syllables_set

    draw_shapes_set("drawn/shapes", 1, 42)
    draw_syllables_set("drawn/syllables", 1, 42)


def write_task_sources() -> None:
    """What experiments are planned from."""
    inputs.write_unit_stimuli(Path("stimuli/net"))
    inputs.write_words(Path("words"))
    inputs.write_graded(Path("graded"))
    inputs.draw_pictures(Path("rated"), 3)


def collect_answers() -> None:
    """What the static pages hand over after two participants, and a file for them without anything random."""
    from tests.experiments.collected_records import collect

    from beholder.experiments import open_store, read_experiment

    open_store(read_experiment("similarity_data"), "imported.sqlite", entropy=bytes).close()

    for k in (1, 2):
        record = collect(Path(f"similarity_data/static/task_{k}.html"), f"s{k}", k)
        Path(f"collected_{k}.json").write_text(json.dumps(record), encoding="utf-8")


def unpack_old_answers() -> None:
    """A file of answers of the first format."""
    shutil.unpack_archive(Path(__file__).parents[1] / "fixtures" / "format_1" / "answers.zip", "old")


def plan_and_build(kind: str, words: str, build: str = "") -> tuple[str, str]:
    """Command lines."""
    return (
        f"tasks plan --kind {kind} {words} -o {kind}.json --seed 3",
        f"tasks build -i {kind}.json -t {kind}_data {build}",
    )


def take_part(kind: str, observer: str) -> tuple[str, ...]:
    """Command lines: participants, and everything that is written or said about their answers."""
    db = f"--db {kind}.sqlite"
    return (
        f"tasks simulate {kind}_data {db} --participants 2 --observer {observer} --seed 5",
        f"tasks export {kind}_data {db} --out {kind}_answers",
    )


def write_directory() -> None:
    """A model directory with the network and stimuli to be shown."""
    shutil.copytree("shown", "eyes/example")
    shutil.copy("net.py", "eyes/build_network.py")


def synthesize_images() -> None:
    """What the engine leaves of its work: settings, and everything that it made."""
    import numpy as np

    import beholder as bh
    from beholder import synthesis

    net = bh.load_model("toy", device="cpu")
    parts = {
        "one": {"objective": synthesis.Channel("conv", 1), "n_images": 2},
        "two": {
            "objective": synthesis.MatchTarget("conv", np.ones((4, 4, 4), np.float32)), "stop": [synthesis.Plateau()],
            "parameterization": synthesis.Pixels(), "transforms": [], "optimizer": synthesis.LBFGS(),
        },
        "three": {
            "objective": synthesis.Logit(1), "parameterization": synthesis.Raw(), "transforms": [],
            "constraints": [synthesis.Range(0, 1)],
        },
    }  # fmt: skip
    for name, options in parts.items():
        made = synthesis.synthesize(net, steps=2, threads=1, checkpoint=f"state/{name}", checkpoint_every=1, **options)
        made.save(f"{name}.npz")


def save_plots() -> None:
    """A figure with its table and words, and an RDM."""
    import numpy as np

    from beholder.figures import FigureRecord, plot_accuracy, plot_rdm, save_figure

    record = FigureRecord(title="Who is right?", answer="Half of them.", alt="Dots.")
    table = {"category": ["dog", "cat"], "n": [1, 2]}
    accuracy: Any = plot_accuracy([1, 2], [2, 2], ["dog", "cat"]).figure
    rdm: Any = plot_rdm(np.array([[0.0, 1.0], [1.0, 0.0]])).figure
    save_figure(accuracy, "accuracy", table=table, record=record)
    save_figure(rdm, "rdm")


CHOICES = """--set 'choices=["circle", "square"]'"""
UNITS = "--model_name toy --units_file units.json"
WINDOWS = "--num_batches 2 --start_min 18 --stop_min 20 --start_max 20 --stop_max 22"
GRADES = (
    ("contrast", "0.25 1"), ("uniform_noise", "0.1 0.3"), ("pink_noise", "0.1"), ("blur", "1 2"), ("phase", "30"),
)  # fmt: skip

GROUPS: dict[str, Group] = {
    "extract": Group(
        (
            extract("", "plain"),
            extract("", "plain"),
            extract("--pool mean --dtype float16", "pooled"),
            extract("--pool max", "pooled"),
            extract("", "layers", "toy -mn conv"),
            extract("", "layers", "toy -mn head pool"),
            extract("", "grown"),
            extract("--append", "grown", images="more"),
            extract("", "table", images="images/table.csv"),
            extract("--fraction 0.5 --balanced --rnd_seed 3", "fraction"),
            extract("--center_acts", "centered"),
            extract("--normalize_reps", "normalized"),
            extract("--compress_acts --n_components 2", "compressed", "toy -mn conv"),
            extract("--reduce srp:4", "reduced", "toy -mn conv"),
            extract("--axes band=time,channel", "heard", "ears -mn band head", images="sounds"),
            "show plain/toy.zarr --json",
            "show plain/toy.zarr",
            "verify plain --json",
        ),
        ("centered/*", "normalized/*", "compressed/*", "reduced/*", ".*/compressed*"),
    ),
    "exports": Group(
        (
            *(extract(f"-ff {kind}", f"exports/{kind}") for kind in ("npy", "txt", "csv", "mat", "pt", "hdf5")),
            *(extract(f"-ff {kind} --flatten_acts", f"flat/{kind}") for kind in ("npy", "csv", "mat")),
            *(extract(f"-ff {kind} --flatten_acts --n_splits 2", f"split/{kind}") for kind in ("npy", "txt")),
            extract("", "plain"),
            save_layers,
        ),
        unseen=("*.zarr/*", "*.jobs/*"),
    ),
    "panel": Group(
        (
            "panel --stimuli_root images --folders circle square --output_dir panel --models toy other --layers head "
            "--replicates 2 --border 0 --saturation 0 --hue 0 --no-alpha_mask -y --device cpu --threads 1",
            "panel --stimuli_root images --folders circle --output_dir exposed --models wide --layers pool head "
            "--replicates 2 -y --device cpu --threads 1",
            "panel --stimuli_root images --folders circle --output_dir averaged --models toy --layers head --pool mean "
            "--replicates 2 --average_replicates --border 0 --saturation 0 --hue 0 --no-alpha_mask -y --device cpu "
            "--threads 1",
            "show panel/model_activations_circle.h5 --json",
            "verify panel --json",
        ),
        ("exposed/*",),
    ),
    "units": Group(
        (
            "units sample --model_name toy --n_units 5 --filename drawn.json --layers conv head --seed 7",
            "units sample --model_name toy --n_units 3 --filename released.json --layers conv --scheme released",
            "units sample --model_name toy --n_units 3 --filename uniform.json --layers conv head --scheme uniform "
            "--blacklist one.json",
            "units split 2 --model_name toy --units_file drawn.json",
            f"units record {UNITS} --in_path natural --device cpu --threads 1",
            "units record --model_name ears --layers band --axes band=time,channel --in_path sounds --device cpu "
            "--threads 1 --out_path heard",
            f"units exemplars {UNITS} {WINDOWS}",
            f"units exemplars {UNITS} {WINDOWS} --scheme released --extra_name released",
            f"units exemplars {UNITS} --percentile 45 55 --num_batches 2 --extra_name percentile",
            f"units maps {UNITS} --device cpu --threads 1",
            f"units occlude {UNITS} --device cpu --threads 1 --steps 2",
            "units optimize --model_name toy --units_file one.json --n_images 2 --steps 2 --max_loops 1 --device cpu "
            "--threads 1 --out_path made",
            "show stimuli/toy --json",
            "show units.json --json",
            "report .",
        ),
        inexact=("report.html", "made/*", "*/counterfactual_images/*", "*.jobs/*"),
    ),
    "metamers": Group(
        (
            "metamers null toy natural --layers conv head -N 12 --device cpu --threads 1",
            "metamers null toy natural --layers conv head -N 12 -R 1 --device cpu --threads 1",
            "metamers make toy shown --layers conv --measured conv head -I 4 --device cpu --threads 1",
            "metamers make toy shown --layers conv head --measured conv head -I 4 --seed 0 1 --device cpu --threads 1",
            "metamers make toy shown --layers conv --measured conv -I 2 -N 2 --recipe published --out_path published "
            "--device cpu --threads 1",
            "metamers make ears sounds --layers band --measured band -I 2 --device cpu --threads 1",
            "metamers judge metamers/toy --models toy other --failed --device cpu",
            "show metamers/toy --json",
            "report .",
        ),
        inexact=("*",),
    ),
    "directory": Group(
        (
            write_directory,
            "units sample -D eyes --n_units 3 --filename drawn.json --layers conv",
            "units record -D eyes --in_path natural --layers conv --device cpu --threads 1",
            f"units exemplars -D eyes --units_file drawn.json {WINDOWS}",
            "metamers make 1 -D eyes -F eyes/example -I 2 -N 2 -R 0 -E 1/20 -Z 1 -O -S --layers conv --device cpu "
            "--threads 1",
            "metamers null -D eyes --in_path natural -N 6 -I 0 -R 0 -O --shuffle --layers conv --device cpu "
            "--threads 1",
            "metamers template made/eyes.py --picture",
            "metamers template made/ears.py --sound",
            "layers toy",
            "layers toy --json",
            "show eyes/drawn.json",
        ),
        inexact=("*/metamers/*", "*null*", "*.jobs/*"),
        unseen=("*.zarr/*",),
    ),
    "synthesis": Group((synthesize_images, save_plots), inexact=("*",)),
    "stimuli": Group(
        (
            *(f"stimuli grade --grade {kind} --levels {how} -ip images/circle -op {kind}" for kind, how in GRADES),
            "stimuli grade --grade snr --levels -3 6 -ip sounds -op snr",
            draw_sets,
        ),
        inexact=("drawn/*", "phase/*", "blur/*", "pink_noise/*", "snr/*", "*.jobs/*"),
    ),
    "tasks": Group(
        (
            write_task_sources,
            *plan_and_build("2afc", "-s stimuli/net -nt 3 -nh 4 -nb 2 -nc 1", "-nr 2"),
            "tasks plan -s stimuli/net -nt 3 -nh 4 -nb 2 -nc 1 -m optimized -o optimized.json",
            "tasks build -i optimized.json -t optimized_data -nr 3",
            "tasks plan -s stimuli -m net -c natural --scheme released -nt 3 -nh 2 -nc 0 -maxb 2 -o released.json",
            *plan_and_build("counterfactual", "-s stimuli/net -nt 3 -nc 1 -nh 3"),
            *plan_and_build("recognition", f"-s images -nh 2 -nc 0 {CHOICES}"),
            *plan_and_build("words", "-s words -nh 2 -nc 0"),
            *plan_and_build("same_different", "-s images -nh 2 -nc 0"),
            *plan_and_build("odd_one_out", "-s images -nh 2 -nc 0 -nt 6"),
            *plan_and_build("similarity", "-s rated -nh 2 -nc 0", "--static"),
            f"tasks plan --kind recognition -s graded/graded.csv --levels adaptive -nh 2 -nc 0 {CHOICES} "
            "-o adaptive.json",
            "tasks build -i adaptive.json -t adaptive_data",
            *take_part("2afc", "ideal"),
            *take_part("recognition", "lapse:0.2"),
            *take_part("similarity", "guess"),
            *take_part("adaptive", "guess"),
            "tasks status --db 2afc.sqlite",
            "tasks status --db 2afc.sqlite --json",
            "tasks export --db 2afc.sqlite --out dated --bom --dates",
            "tasks backup copy.sqlite --db 2afc.sqlite",
            collect_answers,
            "tasks import similarity_data collected_1.json collected_2.json --db imported.sqlite",
            "tasks export --db imported.sqlite --out imported",
            unpack_old_answers,
            "tasks upgrade upgraded.sqlite --db old/answers.sqlite",
            "tasks export --db upgraded.sqlite --out upgraded",
            "tasks backup kept.sqlite --db upgraded.sqlite",
            "tasks forget --db kept.sqlite",
            "tasks simulate --power --baseline 0.7 --difference 0.1 --trials 20 --participants 10 20",
        ),
        unseen=("kept.sqlite",),
    ),
}  # fmt: skip


def run_group(group: Group, folder: Path) -> list[dict[str, object]]:
    """Do the steps in a folder that is made for them; what each said and its exit code."""
    folder.mkdir(parents=True)
    inputs.write_inputs(folder)
    said: list[dict[str, object]] = []
    with working_in(folder), mock.patch.object(sys, "argv", ["beholder"]):
        inputs.register_networks()
        for step in group.steps:
            if isinstance(step, str):
                said.append(call(step))
                if said[-1]["code"] != 0:
                    raise AssertionError(f"beholder {step}: exit code {said[-1]['code']}\n{said[-1]['err']}")
            else:
                step()
    return said


def call(line: str) -> dict[str, object]:
    """Run a command line; its exit code and what it wrote to stdout and stderr."""
    from beholder.cli._main import run, set_up_logging, split_globals

    tokens, _, verbose = split_globals(shlex.split(line))
    out, err = io.StringIO(), io.StringIO()
    argv = ["beholder", *shlex.split(line)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(sys, "argv", argv):
        set_up_logging(True, verbose)
        code = run(tokens, verbose)
    return {"line": line, "code": code, "out": out.getvalue(), "err": err.getvalue()}


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """``folder`` as the working directory, and no downloads from elsewhere in sight."""
    before, home = Path.cwd(), os.environ.get("BEHOLDER_HOME")
    os.chdir(folder)
    os.environ["BEHOLDER_HOME"] = str(folder / "home")
    try:
        yield
    finally:
        os.chdir(before)
        if home is None:
            del os.environ["BEHOLDER_HOME"]
        else:
            os.environ["BEHOLDER_HOME"] = home


def list_outputs(folder: Path) -> list[Path]:
    """Files of a group without inputs and locks."""
    given = {"images", "more", "natural", "shown", "sounds", "net.py", "other.py", "ears.py", "home", "__pycache__"}
    found = []
    for path in sorted(folder.rglob("*")):
        first = path.relative_to(folder).parts[0]
        if path.is_file() and first not in given and path.suffix not in (".lock", ".pyc"):
            found.append(path)
    return found


def digest_group(group: Group, folder: Path) -> dict[str, Parts]:
    """Every file's parts; ``bytes`` is the digest of all of it. Pictures and sounds of a folder stand together."""
    with working_in(folder):
        return _digest_files(group, folder)


def _digest_files(group: Group, folder: Path) -> dict[str, Parts]:
    found: dict[str, Parts] = {}
    together: dict[str, dict[str, Parts]] = {}
    for path in list_outputs(folder):
        name = path.relative_to(folder).as_posix()
        if any(fnmatch(name, pattern) for pattern in group.unseen):
            continue
        exact = not any(fnmatch(name, pattern) for pattern in group.inexact)
        data = read_bytes(path)
        parts = read_parts(path, exact=exact) | ({} if data is None else {"bytes": data})
        if path.suffix in (".png", ".wav"):
            place = name.partition("/trials/")[0] if "/trials/" in name else name.rpartition("/")[0]
            together.setdefault(f"{place}/*", {})[name] = parts
        else:
            found[name] = parts
    for place, files in together.items():
        kinds = dict.fromkeys(part for parts in files.values() for part in parts)
        found[place] = {"names": digest(list(files))} | {
            kind: digest([parts.get(kind) for parts in files.values()]) for kind in kinds
        }
    return found
