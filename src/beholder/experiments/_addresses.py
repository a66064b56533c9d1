"""Opaque names: addresses of stimuli and ids of trials that tell nothing and cannot be made up.

A name is the sealed form of a few numbers (synthetic initialisation vector: a keyed hash of the numbers, and the
numbers masked by a keyed hash of that hash). The same numbers of another session give a name that has nothing in common
with it; a name that the file's key did not make is refused; none has to be kept anywhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Literal, final

_LAYOUT = struct.Struct(">BIHHH")
_TAG_BYTES = 13
_KINDS = ("stimulus", "trial")


@final
@dataclass(frozen=True)
class Place:
    """What a name stands for.

    Attributes
    ----------
    kind : {"stimulus", "trial"}
    session : int
    task : int
        Of a stimulus: its task, 0 for practice. Of a trial: its practice block, 0 for the main trials.
    n : int
        Of a stimulus: the trial in the task. Of a trial: its position as presented, from 1.
    slot : int
        Of a stimulus: its slot's position among the trial's, sorted.
    """

    kind: Literal["stimulus", "trial"]
    session: int
    task: int
    n: int
    slot: int = 0


@final
class AddressBook:
    """Seals places into names and opens names again.

    Parameters
    ----------
    key : str
        Secret of the file of answers, hex.

    Examples
    --------
    >>> book = AddressBook("00" * 32)
    >>> name = book.seal(Place("stimulus", 1, 3, 17, 4))
    >>> len(name), book.open(name), book.open("A" * 32) is None
    (32, Place(kind='stimulus', session=1, task=3, n=17, slot=4), True)
    """

    def __init__(self, key: str) -> None:
        secret = bytes.fromhex(key)
        self._tag_key = hashlib.sha256(b"tag" + secret).digest()
        self._mask_key = hashlib.sha256(b"mask" + secret).digest()

    def seal(self, place: Place) -> str:
        """32 characters of ``A-Z a-z 0-9 - _``."""
        plain = _LAYOUT.pack(_KINDS.index(place.kind), place.session, place.task, place.n, place.slot)
        tag = self._compute_tag(plain)
        return base64.urlsafe_b64encode(tag + self._mask(plain, tag)).decode("ascii")

    def open(self, name: str) -> Place | None:
        """The place; None for a name that was not sealed with this key."""
        if len(name) != 32:
            return None
        try:
            raw = base64.b64decode(name.encode("ascii"), b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        tag, masked = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        plain = self._mask(masked, tag)
        if not hmac.compare_digest(self._compute_tag(plain), tag):
            return None
        kind, session, task, n, slot = _LAYOUT.unpack(plain)
        return Place(_KINDS[kind], session, task, n, slot)

    def _compute_tag(self, plain: bytes) -> bytes:
        return hmac.digest(self._tag_key, plain, "sha256")[:_TAG_BYTES]

    def _mask(self, text: bytes, tag: bytes) -> bytes:
        n = len(text)
        stream = hmac.digest(self._mask_key, tag, "sha256")[:n]
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(n, "big")
