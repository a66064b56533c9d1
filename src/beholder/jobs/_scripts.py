"""Scripts for SLURM: an array of jobs that run one command side by side, and a job after it that puts together."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from beholder._core.errors import suggest_keywords
from beholder._core.files import write_text
from beholder._core.hashing import hash_settings
from beholder._core.wording import format_count
from beholder.jobs._array import COMMAND, ENDS, FOLDER, LATE, MERGE, MISSING, MORE, PLANS, TASK
from beholder.jobs._script_options import ScriptOptions, read_wall_time

HOME = "beholder-jobs"
"""Folder of scripts, in the working directory."""
ARRAY_SCRIPT, MERGE_SCRIPT, SUBMIT_SCRIPT = "array.sh", "merge.sh", "submit.sh"
_OFFLINE = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_RESTARTS = 200


@final
@dataclass(frozen=True)
class JobScripts:
    """Scripts that were written, and what to type.

    Attributes
    ----------
    folder : Path
        Where they lie.
    n_tasks : int
        Jobs of the array; 0 where every part is there, and only the job after it is left.
    n_left, n_parts : int or None
        Parts that are missing, of how many; None where no task has told yet which there are.
    notes : tuple of str
        What a reader should know.
    has_steps : bool
        They are of several commands.
    """

    folder: Path
    n_tasks: int
    n_left: int | None = None
    n_parts: int | None = None
    notes: tuple[str, ...] = ()
    has_steps: bool = False

    @property
    def command(self) -> str:
        """What to type."""
        return shlex.join(["bash", str(self.folder / SUBMIT_SCRIPT)])

    def describe(self) -> list[str]:
        """Lines for people."""
        n_parts = format_count(self.n_parts or 0, "part")
        left = "" if self.n_left is None else f" for {self.n_left:,} of {n_parts}, which are missing"
        array = [
            f"an array of {format_count(self.n_tasks, 'job')}{left}, and one after it that puts together what they made"
        ]
        if self.n_parts is not None and not self.n_tasks:
            array = [f"every one of {format_count(self.n_parts, 'part')} is there: one job, which puts them together"]
        return [*([] if self.has_steps else array), *self.notes, "to submit it, type:", f"  {self.command}",
                f"logs: {self.folder}{'/*' * self.has_steps}/logs; to go on later, the same command again"]  # fmt: skip

    def __str__(self) -> str:
        return "\n".join(self.describe())

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"folder": str(self.folder), "submit": self.command, "tasks": self.n_tasks, "left": self.n_left,
                "parts": self.n_parts}  # fmt: skip


@suggest_keywords
def write_scripts(
    command: Sequence[str], name: str, options: ScriptOptions, *, again: str, place: Path | None = None
) -> JobScripts:
    """Write the scripts of a command; written again, the array has as many jobs as there are parts missing, at most.

    Parameters
    ----------
    command : sequence of str
        What each job runs.
    name : str
        Of the jobs.
    options : ScriptOptions
    again : str
        What writes them again, for the job that finds parts missing.
    place : path, optional
        Folder of the scripts; default one of this command below ``beholder-jobs`` in the working directory.
    """
    cwd = Path.cwd()
    folder = place or cwd / HOME / f"{name}-{hash_settings([list(command), str(cwd)])[:8]}"
    n_left, n_parts = count_left(folder)
    n_tasks, notes = count_tasks(options, n_left)
    write_step(folder, command, name, options, n_tasks, again=again)
    write_text(folder / SUBMIT_SCRIPT, format_submit(folder, has_array=n_tasks > 0))
    return JobScripts(folder, n_tasks, n_left, n_parts, tuple(notes))


def write_step(
    folder: Path, command: Sequence[str], name: str, options: ScriptOptions, n_tasks: int, *, again: str
) -> None:
    """Write the script of an array of so many jobs, of none for 0, and of the job after it."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for left in (MORE, MISSING, ARRAY_SCRIPT):
        (folder / left).unlink(missing_ok=True)
    write_text(folder / COMMAND, again + "\n")
    if n_tasks:
        write_text(folder / ARRAY_SCRIPT, format_array(command, name, options, folder, Path.cwd(), n_tasks))
    write_text(folder / MERGE_SCRIPT, format_merge(command, name, options, folder, Path.cwd()))


def count_tasks(options: ScriptOptions, n_left: int | None) -> tuple[int, list[str]]:
    """Jobs of an array, and what a reader should know of them."""
    notes = list[str]()
    if not options.constraint:
        notes.append("no constraint is given: nodes of another kind refuse parts, see docs/cluster.md")
    n_tasks = options.tasks if n_left is None else min(options.tasks, n_left)
    most = read_array_limit()
    if most is not None and n_tasks > most:
        return most, [*notes, f"this cluster's arrays have {format_count(most, 'job')} at most, not {n_tasks:,}"]
    return n_tasks, notes


def read_array_limit() -> int | None:
    """The most jobs that an array of this cluster has; None where the queue is not to be asked."""
    if shutil.which("scontrol") is None:
        return None
    try:
        said = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said.stdout, re.MULTILINE)
    return None if found is None else int(found[1]) - 1


def count_left(folder: Path) -> tuple[int | None, int | None]:
    """Parts without a receipt, and all, of the plans that tasks have noted; None where not all of them are known."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / PLANS).glob("*.json"))]
    if not records or (folder / MORE).exists():
        return None, None
    n_left = n_parts = 0
    for record in records:
        receipts = Path(record["jobs"]) / "receipts"
        made = {path.stem for path in receipts.glob("*.json")}
        n_parts += len(record["parts"])
        n_left += sum(key not in made for key in record["parts"])
    return n_left, n_parts


def format_array(
    command: Sequence[str], name: str, options: ScriptOptions, folder: Path, cwd: Path, n_tasks: int
) -> str:
    """The script of the array."""
    throttle = f"%{options.throttle}" if options.throttle else ""
    head = [
        "#!/bin/bash",
        "# Each job makes parts until none is left or its time is nearly over; started again, it goes on.",
        f"#SBATCH --array=0-{n_tasks - 1}{throttle}",
        *options.list_directives(f"beholder-{name}", f"{folder}/logs/%A_%a.log"),
        f"#SBATCH --signal=B:USR1@{options.settle_lead()}",
        "#SBATCH --requeue",
    ]
    lines = [*head, "", *_prepare(options, folder, cwd), f'export {TASK}="$SLURM_ARRAY_TASK_ID/{n_tasks}"']
    if options.time:
        lines.append(f"export {ENDS}=$(( $(date +%s) + {read_wall_time(options.time)} ))")
    else:
        ends = '$(squeue --noheader --job "$SLURM_JOB_ID" --format %e)'
        lines.append(f'export {ENDS}=$(date --date "{ends}" +%s 2>/dev/null)')
    return "\n".join([*lines, "", *_run_interruptible(command), ""])


def _run_interruptible(command: Sequence[str]) -> list[str]:
    """The command beside the shell, which hands it the queue's signals and starts the job again where it is late."""
    return [
        "trap 'kill -USR1 \"$task\" 2>/dev/null' USR1",
        "trap 'kill -TERM \"$task\" 2>/dev/null' TERM",
        f"{shlex.join(command)} &",
        "task=$!",
        'wait "$task"; code=$?',
        'while kill -0 "$task" 2>/dev/null; do wait "$task"; code=$?; done',
        "# a signal that came as the task ended has ended the wait in its place",
        'wait "$task" 2>/dev/null; last=$?; [ "$last" -eq 127 ] || code=$last',
        f'if [ "$code" -eq {LATE} ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {_RESTARTS} ]; then',
        '    scontrol requeue "$SLURM_JOB_ID"',
        "fi",
        'exit "$code"',
    ]


def format_merge(command: Sequence[str], name: str, options: ScriptOptions, folder: Path, cwd: Path) -> str:
    """The script of the job after the array."""
    return "\n".join([
        "#!/bin/bash",
        "# Puts together what the jobs of the array made, or names the parts that are missing.",
        *options.list_directives(f"beholder-{name}-merge", f"{folder}/logs/merge_%j.log"),
        "", *_prepare(options, folder, cwd), f"export {TASK}={MERGE}", "", f"exec {shlex.join(command)}", "",
    ])  # fmt: skip


def format_single(command: Sequence[str], name: str, options: ScriptOptions, folder: Path) -> str:
    """The script of one job for work without parts."""
    return "\n".join([
        "#!/bin/bash", *options.list_directives(f"beholder-{name}", f"{folder}/logs/%j.log"),
        "", *_prepare(options, folder, Path.cwd()), "", f"exec {shlex.join(command)}", "",
    ])  # fmt: skip


def _prepare(options: ScriptOptions, folder: Path, cwd: Path) -> list[str]:
    return [
        *options.setup,
        f"cd {shlex.quote(str(cwd))} || exit 1",
        "# nodes without a network: weights are fetched before, by beholder models fetch",
        f"export {' '.join(f'{each}=1' for each in _OFFLINE)}",
        f"export {FOLDER}={shlex.quote(str(folder))}",
    ]


def format_submit(folder: Path, *, has_array: bool) -> str:
    """The script that submits both."""
    array, merge = (shlex.quote(str(folder / each)) for each in (ARRAY_SCRIPT, MERGE_SCRIPT))
    lines = ["#!/bin/bash", "set -e"]
    if has_array:
        lines += [
            f"array=$(sbatch --parsable {array})",
            f'merge=$(sbatch --parsable --dependency="afterany:${{array%%;*}}" {merge})',
            'echo "submitted the array ${array%%;*}, and ${merge%%;*} after it"',
        ]
    else:
        lines += [f"merge=$(sbatch --parsable {merge})", 'echo "submitted ${merge%%;*}"']
    return "\n".join([*lines, ""])


def find_python() -> list[str]:
    """What starts Beholder in a job: this interpreter, by its whole path."""
    return [sys.executable, "-m", "beholder.cli"]
