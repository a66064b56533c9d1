"""Flags that every ``beholder analyze`` command has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder.cli._flags import OutputFlags, Seed, Words, flags, list_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from beholder.analysis import Result
    from beholder.responses import Trials


@flags
class ReadingFlags:
    """How recordings are read that do not say all of it themselves."""

    stimuli: Path | None = None
    """Ids of the rows of --recordings: a table, or the folder of stimulus files; default what lies in or beside it."""
    units: Path | None = None
    """Table of the recordings' units, a row each: subject, region."""
    variable: str | None = None
    """Which array of a file of recordings that holds several."""
    axes: str | None = None
    """Names of the recordings' axes in order, such as 'repeat stimulus unit'."""
    mask: Words = None
    """For NIfTI recordings: image of the voxels to read, whose whole numbers are regions; or one image for each region:
    V1=v1.nii V4=v4.nii."""
    labels: Path | None = None
    """Names of the regions of --mask: a table of index and name."""
    events: Path | None = None
    """For a folder of beta series: where its events.tsv files lie."""

    def open(self, recordings: Path) -> Any:
        """The recordings, read as the flags say; without any, their path."""
        told = {name: value for name, value in vars(self).items() if value is not None}
        if self.mask:
            told["mask"] = _read_masks(self.mask)
        if not told:
            return recordings
        from beholder.recordings import open_recordings

        return open_recordings(recordings, **told)


def _read_masks(words: Sequence[str]) -> Path | dict[str, Path]:
    """One image, or one for each region: ``name=file``, or a file that the region is called after."""
    if len(words) == 1 and ("=" not in words[0] or Path(words[0]).exists()):
        return Path(words[0])
    found: dict[str, Path] = {}
    for word in words:
        name, _, path = word.partition("=")
        if not path or Path(word).exists():
            name, path = Path(word).name.partition(".")[0], word
        if name in found:
            raise InputError("a name of its own for each mask", got=f"{name} twice", hint=f"name={path}")
        found[name] = Path(path)
    return found


@flags
class DistanceFlags:
    """How RDMs are made, and what the ids of both sides have in common."""

    distance: str = "correlation"
    """How stimuli are compared: correlation, cosine, euclidean, squared-euclidean, gaussian, crossnobis, …"""
    recorded_distance: str | None = None
    """How recordings are compared, where it is otherwise than --distance."""
    id_pattern: str | None = None
    """A regular expression whose group is what the ids of activations and recordings have in common."""


@flags
class DrawFlags:
    """How often chance is drawn."""

    n_draws: Annotated[int, Parameter(name="--n-draws")] = 1000
    """Bootstrap draws for intervals."""
    n_permutations: int = 1000
    """Shuffles over stimuli for tests; 0 for none."""
    seed: Seed = 42
    """Seed of all draws."""


@flags
class FunctionFlags:
    """Which psychometric function is fitted, and at which rate people guess."""

    function: Literal["logit", "probit", "weibull"] = "logit"
    """Form of the psychometric function."""
    scale: Literal["linear", "log"] | None = None
    """Functions of levels or of their logarithms; default as QUEST+ took them, else linear, for weibull log."""
    guess: float | None = None
    """Guess rate of the design; default 1 over the alternatives, 1/3 of odd-one-out, 0 of yes-no."""


@flags
class TrialFlags:
    """How tables of single answers are read."""

    columns: Words = None
    """What the columns are called, NAME=COLUMN …: participant=subj response=object_response truth=category."""
    id_pattern: str | None = None
    """A regular expression whose group is the stimulus's own name in the ids."""
    include_excluded: bool = False
    """For exports: also count answers of participants who broke a rule or did not finish."""

    def read(self, files: Iterable[Path]) -> Trials:
        """All answers of the files in one table."""
        from beholder.responses import read_trials

        return read_trials(*files, **vars(self))


@flags
class ResultFlags(OutputFlags):
    """Where a result is written, and what is printed of it."""

    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("analysis")
    """Folder of the table, its pictures and the page report.html."""
    overwrite: bool = False
    """Replace a result that was made with other settings."""

    def run(self, kind: str, analyze: Callable[..., Result], /, *sources: Any, **options: Any) -> Result:
        """Analyse and write; options and inputs that a result which is there was not made of are refused beforehand."""
        from beholder.analysis import guard_result

        with guard_result(options, self.out, kind, overwrite=self.overwrite):
            result = analyze(*sources, **options)
        self.write(result)
        return result

    def write(self, result: Result) -> None:
        """Write the result and its page, and print what was found."""
        from beholder.analysis import write_result
        from beholder.report import write_report

        files = write_result(result, self.out, overwrite=self.overwrite)
        files.append(write_report(self.out))
        notes = (f"note: {warning}" for warning in result.warnings)
        lines = [*result.sentences(), *notes, str(files[-1])]
        self.print(lines, result.to_json() | {"files": list_files(files)})
