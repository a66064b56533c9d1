"""``beholder verify``: whether outputs hold what was written to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from beholder._core.errors import BeholderError
from beholder._core.wording import format_count
from beholder.cli._flags import OutputFlags, make_app

if TYPE_CHECKING:
    from beholder.jobs import OutputCheck

app = make_app("verify")

_MOST_LINES = 20


@app.default
def verify(path: str, /, *, dry_run: bool = False, output: OutputFlags = OutputFlags()) -> None:
    """Hold outputs against the hashes that were taken as they were written; the next run makes what differs anew.

    Example: beholder stimuli draw shapes
    Example: beholder extract beholder:shapes --layers block3 block5
    Example: beholder verify activations/

    Parameters
    ----------
    path
        An output (a .zarr store, metamers/{model}, a panel .h5 file, ...) or a folder that holds some, at any depth;
        also the address of what was made from this machine.
    dry_run
        Only look: keep the receipts of what is damaged or missing, which are dropped otherwise, so that the command
        that made it computes exactly that anew.
    output.json
        Print one JSON document: tables outputs, files, and machines where an output was made on several kinds.
    """
    from beholder.jobs import verify_outputs

    checks = verify_outputs(path, repair=not dry_run)
    output.print(_describe(checks), _tabulate(checks))
    _refuse_damage(checks, repaired=not dry_run)


def _tabulate(checks: Sequence[OutputCheck]) -> dict[str, list[dict[str, Any]]]:
    """One JSON document: a row an output, a row a file that is not as it was written."""
    outputs = [
        {"output": each.output, "whole": each.is_whole, "n_files": each.n_files, "n_unhashed": each.n_unhashed,
         "command": each.command}
        for each in checks
    ]  # fmt: skip
    machines = [{"output": each.output, **asdict(share)} for each in checks for share in each.machines]
    tables = {"outputs": outputs, "files": [vars(file) for each in checks for file in each.files]}
    return tables | ({"machines": machines} if machines else {})


def _describe(checks: Sequence[OutputCheck]) -> Iterator[str]:
    """A line an output, and a line a file that is not as it was written."""
    for each in checks:
        told = [f"{format_count(each.n_files, 'file')} checked"] if each.n_files or not each.n_unhashed else []
        if each.n_unhashed:
            told.append(f"{each.n_unhashed} of a format without checksums, whose sizes were compared")
        yield f"{each.output}: {', '.join(told)}{'' if each.files else ', whole'}"
        for state in dict.fromkeys(file.state for file in each.files):
            files = [file for file in each.files if file.state == state]
            yield from (f"  {state}: {file.file} ({file.then})" for file in files[:_MOST_LINES])
            if len(files) > _MOST_LINES:
                yield f"  {state}: {len(files) - _MOST_LINES} more (--json lists all)"
        yield from (f"  {share.to_text(_MOST_LINES)}" for share in each.machines)
        if not each.is_whole and each.command:
            yield f"  made by: {each.command}"


def _refuse_damage(checks: Sequence[OutputCheck], *, repaired: bool) -> None:
    """Fail where something is damaged or missing."""
    bad = [file for each in checks for file in each.files if file.state in ("damaged", "missing")]
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        hint = "the command that made it again, which makes it anew" if repaired else "the same without --dry_run"
        raise BeholderError(f"expected files as they were written; got {bad[0].file} {bad[0].state}{more}; try {hint}")
