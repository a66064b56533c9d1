"""What the builder of a named stimulus set has to do."""

from __future__ import annotations

import pickle
from pathlib import Path

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.stimuli import NAMED_SETS, StimulusSet
from beholder.testing._expect import expect, explain, fail


@suggest_keywords
def check_stimulus_set(name: str, folder: Path | str | None = None, *, ground_truth: Path | str | None = None) -> None:
    """Check a named stimulus set, as :meth:`beholder.stimuli.StimulusSet.from_named` and every command take it.

    Parameters
    ----------
    name : str
        Its name in :data:`beholder.stimuli.NAMED_SETS`: that of the entry point, or as it was added there.
    folder : path, optional
        Where the set, or a small copy of it, lies.
    ground_truth : path, optional
        As for :meth:`~beholder.stimuli.StimulusSet.from_named`.

    Raises
    ------
    AssertionError
        The set is empty or another the second time; ids are not unique; a file is not there or cannot be read; labels
        and targets do not go together; a folder that does not hold it is taken, or refused in a traceback.

    Examples
    --------
    >>> from PIL import Image
    >>> folder = Path("pictures/n01440764")
    >>> folder.mkdir(parents=True)
    >>> Image.new("RGB", (8, 8)).save(folder / "n01440764_1.JPEG")
    >>> check_stimulus_set("imagenet-val", "pictures")
    """
    with explain(f"a set called {name!r}", hint="an entry point beholder.stimulus_sets"):
        NAMED_SETS[name]
    place = None if folder is None else Path(folder)
    with explain(f"{name} to be built"):
        made = StimulusSet.from_named(name, place, ground_truth=ground_truth)
        again = StimulusSet.from_named(name, place, ground_truth=ground_truth)
    n = len(made)
    expect(n > 0, f"stimuli in {name}", got="none")
    expect(
        len(set(made.ids)) == n,
        f"one id for each of {format_count(n, 'stimulus')} of {name}",
        got=format_count(len(set(made.ids)), "id"),
    )
    same = (made.ids, made.files, made.labels) == (again.ids, again.files, again.labels)
    expect(same and made.targets.tolist() == again.targets.tolist(), f"{name} to be the same each time", got="another")
    lengths = {"files": len(made.files), "labels": len(made.labels), "targets": len(made.targets)}
    lengths |= {f"condition {key}": len(values) for key, values in made.conditions.items()}
    odd = [f"{n_values} {what}" for what, n_values in lengths.items() if n_values not in (n, 0)]
    expect(not odd, f"an entry for each of {format_count(n, 'stimulus')} of {name}", got=", ".join(odd))
    if len(made.labels) == n:
        pairs = set(zip(made.labels, made.targets.tolist(), strict=True))
        one_each = len(pairs) == len({label for label, _ in pairs}) == len({target for _, target in pairs})
        expect(one_each, f"one target for each label of {name}", got=f"{format_count(len(pairs), 'pair')} of both")
    if made.arrays is None:
        absent = [made.path(i) for i in range(n) if not made.path(i).is_file()]
        expect(not absent, f"the files of {name}", got=f"none at {absent[0] if absent else ''}")
    with explain(f"the first stimulus of {name} to be read"):
        made.read(0)
    with explain(f"{name} to pickle, as it goes to worker processes"):
        pickle.loads(pickle.dumps(made))
    if place is not None:
        _check_refusal(name, place)


def _check_refusal(name: str, place: Path) -> None:
    """A folder that is not there is refused in one line."""
    absent = place / "no-such-folder"
    expected = f"{name} to raise InputError for a folder that is not there"
    try:
        StimulusSet.from_named(name, absent)
    except InputError:
        return
    except Exception as error:
        raise fail(expected, got=type(error).__name__) from error
    raise fail(expected, got="a set")
