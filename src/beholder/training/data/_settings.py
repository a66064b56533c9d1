"""What is said of the data of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from beholder._core.errors import InputError

_SNR = (-10.0, 10.0)


@final
@dataclass(frozen=True)
class DataSettings:
    """Where labels, the validation part and the background come from, and how stimuli are varied.

    Parameters
    ----------
    label_column : str, optional
        The column of a table, or the field of ``label_pattern``, that holds the class.
    label_pattern : str, optional
        How file names are made, ``"{digit}_{speaker}_{take}.wav"``, or a regular expression with groups: each field
        becomes a column; the class is the field that ``label_column`` names, or the first.
    train_where : str, optional
        Which stimuli are trained on, ``"split=train"``; by default all that do not validate.
    validation : path, optional
        Stimuli of their own to validate with.
    validation_where : str, optional
        Which of the stimuli validate: ``"take=0-4"``, ``"split=val,test"``.
    augment : tuple of str, optional
        Names in their order, with a number after ``=`` where wanted: see :data:`AUGMENTATIONS`. By default ``crop`` and
        ``flip`` for pictures, ``crop`` for sounds, what the drawn set is made with for drawn sets.
    background : path, optional
        A folder of sounds that are mixed into those trained on.
    snr : (float, float)
        dB: sound to background, drawn uniformly between the two.
    n_drawn, n_drawn_validation : int
        Stimuli of a drawn set in an epoch, and those that validate.
    cache_gb : float, optional
        Memory for decoded stimuli; by default a quarter of what is free.
    """

    label_column: str | None = None
    label_pattern: str | None = None
    train_where: str | None = None
    validation: Path | str | None = None
    validation_where: str | None = None
    augment: tuple[str, ...] | None = None
    background: Path | str | None = None
    snr: tuple[float, float] = _SNR
    n_drawn: int = 9_600
    n_drawn_validation: int = 640
    cache_gb: float | None = None

    def __post_init__(self) -> None:
        if self.validation is not None and self.validation_where is not None:
            raise InputError("one of validation and validation_where", got="both")
        if len(self.snr) != 2 or not self.snr[0] <= self.snr[1]:
            raise InputError("an SNR in dB as lowest and highest", got=str(self.snr))
        if self.background is None and tuple(self.snr) != _SNR:
            raise InputError("--background with --snr", got="--snr alone")
        if self.n_drawn < 1 or self.n_drawn_validation < 0:
            raise InputError("at least 1 drawn stimulus an epoch", got=f"{self.n_drawn}, {self.n_drawn_validation}")
        if self.cache_gb is not None and self.cache_gb < 0:
            raise InputError("a cache of at least 0 GB", got=str(self.cache_gb))
