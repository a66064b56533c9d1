"""Several commands one after the other: here, or as job scripts that wait for each other."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from beholder._core.errors import BeholderError, suggest_keywords
from beholder._core.files import write_text
from beholder._core.progress import logger
from beholder._core.wording import format_count
from beholder.jobs._array import FOLDER, TASK
from beholder.jobs._dry_run import note_interruption
from beholder.jobs._script_options import ScriptOptions
from beholder.jobs._scripts import (
    ARRAY_SCRIPT,
    HOME,
    MERGE_SCRIPT,
    SUBMIT_SCRIPT,
    JobScripts,
    count_left,
    count_tasks,
    find_python,
    format_single,
    write_step,
)


@final
@dataclass(frozen=True)
class Step:
    """One command of several.

    Attributes
    ----------
    name : str
    command : tuple of str
        Words after ``beholder``.
    after : tuple of str
        Names of steps that it needs.
    is_array : bool
        Its work is cut into parts, which the jobs of an array make; else it is one job.
    """

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    is_array: bool = True

    def __str__(self) -> str:
        return shlex.join(["beholder", *self.command])


@suggest_keywords
def run_steps(steps: Sequence[Step]) -> None:
    """Run commands one after the other in processes of their own; run again, each goes on from what is finished.

    After one that fails those are left out that need it, and the others are run.

    Raises
    ------
    BeholderError
        One failed; what it said is on standard error.
    """
    failed: dict[str, int] = {}
    left_out: list[str] = []
    environment = {name: value for name, value in os.environ.items() if name not in (TASK, FOLDER)}
    for i, step in enumerate(steps):
        if {*failed, *left_out} & set(step.after):
            left_out.append(step.name)
            continue
        logger.info("%d of %d, %s: %s", i + 1, len(steps), step.name, step)
        with note_interruption():
            code = subprocess.run([*find_python(), *step.command], env=environment, check=False).returncode
        if code:
            failed[step.name] = code
    if failed:
        told = ", ".join(f"{name} with exit code {code}" for name, code in failed.items())
        without = f"; without what needs it: {', '.join(left_out)}" if left_out else ""
        raise BeholderError(
            f"expected every step to succeed; got {told}, which said why above{without}; "
            "try the same again when that is mended: finished parts are kept"
        )


@suggest_keywords
def write_steps(steps: Sequence[Step], folder: Path, options: ScriptOptions, *, again: str) -> JobScripts:
    """Write the scripts of commands, which begin when those that they need have succeeded.

    Parameters
    ----------
    steps : sequence of Step
        Each after those that it needs.
    folder : path
        Of the scripts; a relative one is below ``beholder-jobs`` in the working directory.
    options : ScriptOptions
        Of every job.
    again : str
        What writes them again.
    """
    folder = Path.cwd() / HOME / folder
    lines = ["#!/bin/bash", "set -e"]
    n_all, notes = 0, list[str]()
    for step in steps:
        own, command = folder / step.name, [*find_python(), *step.command]
        variable = "job_" + step.name.replace("-", "_")
        wanted = ":".join(f"${{job_{name.replace('-', '_')}%%;*}}" for name in step.after)
        after = f' --dependency="afterok:{wanted}" --kill-on-invalid-dep=yes' if wanted else ""
        array, merge = (shlex.quote(str(own / each)) for each in (ARRAY_SCRIPT, MERGE_SCRIPT))
        if not step.is_array:
            n_all += 1
            (own / "logs").mkdir(parents=True, exist_ok=True)
            write_text(own / MERGE_SCRIPT, format_single(command, step.name, options, own))
            lines.append(f"{variable}=$(sbatch --parsable{after} {merge})")
            continue
        n_tasks, notes = count_tasks(options, count_left(own)[0])
        n_all += n_tasks
        write_step(own, command, step.name, options, n_tasks, again=again)
        if n_tasks:
            lines.append(f"array=$(sbatch --parsable{after} {array})")
            after = ' --dependency="afterany:${array%%;*}"'
        lines.append(f"{variable}=$(sbatch --parsable{after} {merge})")
    write_text(folder / SUBMIT_SCRIPT, "\n".join([*lines, f'echo "submitted {format_count(len(steps), "step")}"', ""]))
    told = [f"{format_count(len(steps), 'step')}, each begun when those that it needs have succeeded:"]
    told += [f"  {step.name}: {step}" for step in steps]
    return JobScripts(folder, n_all, notes=(*told, *notes), has_steps=True)
