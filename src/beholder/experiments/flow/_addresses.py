"""Opaque names: addresses of stimuli and ids of trials that tell nothing and cannot be made up.

A name is a few numbers, encrypted and authenticated by AES-SIV (RFC 5297), which needs no nonce. The same numbers of
another session give a name that has nothing in common with it; a name that the file's key did not make is refused; none
has to be kept anywhere.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import Literal, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_LAYOUT = struct.Struct(">BIHHH")
_LENGTH = 36
_KINDS = ("stimulus", "trial", "session")


@final
@dataclass(frozen=True)
class TrialRef:
    """What a name stands for.

    Attributes
    ----------
    kind : {"stimulus", "trial", "session"}
    session : int
    task : int
        Of a stimulus: its task, 0 for practice. Of a trial: its practice block, 0 for the main trials.
    n : int
        Of a stimulus: the trial in the task. Of a trial: its position as presented, from 1.
    slot : int
        Of a stimulus: its slot's position among the trial's, sorted.
    """

    kind: Literal["stimulus", "trial", "session"]
    session: int
    task: int = 0
    n: int = 0
    slot: int = 0


@final
class AddressBook:
    """Encrypts places into names and opens names again.

    Parameters
    ----------
    key : str
        Secret of the file of answers, 32 bytes as hex.

    Examples
    --------
    >>> book = AddressBook("01" * 32)
    >>> name = book.encrypt(TrialRef("stimulus", 1, 3, 17, 4))
    >>> len(name), book.open(name), book.open("A" * 36) is None
    (36, TrialRef(kind='stimulus', session=1, task=3, n=17, slot=4), True)
    """

    def __init__(self, key: str) -> None:
        self._cipher = AESSIV(bytes.fromhex(key))

    def encrypt(self, place: TrialRef) -> str:
        """36 characters of ``A-Z a-z 0-9 - _``."""
        plain = _LAYOUT.pack(_KINDS.index(place.kind), place.session, place.task, place.n, place.slot)
        return base64.urlsafe_b64encode(self._cipher.encrypt(plain, None)).decode("ascii")

    def open(self, name: str) -> TrialRef | None:
        """The place; None for a name that this key did not make."""
        if len(name) != _LENGTH:
            return None
        try:
            plain = self._cipher.decrypt(base64.b64decode(name.encode("ascii"), b"-_", validate=True), None)
        except (binascii.Error, UnicodeEncodeError, InvalidTag):
            return None
        kind, session, task, n, slot = _LAYOUT.unpack(plain)
        return TrialRef(_KINDS[kind], session, task, n, slot)
