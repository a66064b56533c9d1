"""Flags that every ``beholder analyze`` command has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from beholder.cli._flags import OutputFlags, flags, list_files

if TYPE_CHECKING:
    from beholder.analysis import Result


@flags
class ResultFlags(OutputFlags):
    """Where a result is written, and what is printed of it."""

    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("analysis")
    """Folder of the table, its pictures and the page report.html."""
    overwrite: bool = False
    """Replace a result that was made with other settings."""

    def write(self, result: Result) -> None:
        """Write the result and its page, and print what was found."""
        from beholder.analysis import write_result
        from beholder.report import write_report

        files = write_result(result, self.out, overwrite=self.overwrite)
        files.append(write_report(self.out))
        notes = (f"note: {warning}" for warning in result.warnings)
        lines = [*result.sentences(), *notes, str(files[-1])]
        self.print(lines, result.to_json() | {"files": list_files(files)})
