"""What ``beholder verify`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from beholder._core.errors import BeholderError

if TYPE_CHECKING:
    from beholder.jobs import OutputCheck

_MOST_LINES = 20


def tabulate_checks(checks: Sequence[OutputCheck]) -> dict[str, list[dict[str, Any]]]:
    """One JSON document: a row an output, a row a file that is not as it was written."""
    outputs = [
        {"output": each.output, "whole": each.is_whole, "n_files": each.n_files, "n_unhashed": each.n_unhashed,
         "command": each.command}
        for each in checks
    ]  # fmt: skip
    return {"outputs": outputs, "files": [vars(file) for each in checks for file in each.files]}


def describe_checks(checks: Sequence[OutputCheck]) -> list[str]:
    """A line an output, and a line a file that is not as it was written."""
    lines = []
    for each in checks:
        told = [f"{each.n_files} files checked"] if each.n_files or not each.n_unhashed else []
        if each.n_unhashed:
            told.append(f"{each.n_unhashed} of a format without checksums, whose sizes were compared")
        lines.append(f"{each.output}: {', '.join(told)}{'' if each.files else ', whole'}")
        for state in dict.fromkeys(file.state for file in each.files):
            files = [file for file in each.files if file.state == state]
            lines += [f"  {state}: {file.file} ({file.then})" for file in files[:_MOST_LINES]]
            if len(files) > _MOST_LINES:
                lines.append(f"  {state}: {len(files) - _MOST_LINES} more (--json lists all)")
        if not each.is_whole and each.command:
            lines.append(f"  made by: {each.command}")
    return lines


def refuse_damage(checks: Sequence[OutputCheck], *, repaired: bool) -> None:
    """Fail where something is damaged or missing."""
    bad = [file for each in checks for file in each.files if file.state in ("damaged", "missing")]
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        hint = "the command that made it again, which makes it anew" if repaired else "the same without --dry_run"
        raise BeholderError(f"expected files as they were written; got {bad[0].file} {bad[0].state}{more}; try {hint}")
