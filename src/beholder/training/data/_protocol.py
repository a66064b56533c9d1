"""What the training loop asks of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class TrainingData(Protocol):
    """Labelled stimuli that are read in batches.

    A stimulus's values are a pure function of ``(index, epoch, seed)``, whatever else is read with it and in whatever
    order, so that training that was interrupted goes on with the same batches. Two parts of one set (training and
    validation) are two such objects; that of validation does not augment.

    Attributes
    ----------
    classes : tuple of str
        What labels count: label ``i`` is ``classes[i]``.
    n_stimuli : int
        How many there are in an epoch.
    fingerprint : str
        Hash of what is learnt from: the files' bytes and labels, or settings and version of a set that is drawn.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        ...

    @property
    def n_stimuli(self) -> int:
        """Stimuli an epoch."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of what is learnt from."""
        ...

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Read stimuli, decoded and augmented.

        Parameters
        ----------
        indices : (n,), int64
            From 0 to ``n_stimuli`` - 1.
        epoch : int
            From 0 on.
        seed : int

        Returns
        -------
        stimuli : (n, *input_shape), float32
            In the space that the network's ``prepare`` gives.
        labels : (n,), int64

        Raises
        ------
        StimulusError
            A stimulus cannot be read; the error names it.
        """
        ...

    def name_stimulus(self, index: int) -> str:
        """What a stimulus is called in messages: its file or id."""
        ...
