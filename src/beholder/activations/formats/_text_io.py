"""Numbers to text and back, whole blocks at a time.

Three spellings, each the same bytes as the usual way of writing it:

* ``fixed5``: ``%-7.5f``, the slice format's;
* ``e18``: ``%.18e``, the default of :func:`numpy.savetxt`;
* ``exact``: the fewest digits that read back as the same number.

The first two are computed with integer arithmetic, exactly, for numbers of 24 bits (float32 and
less); what falls outside, and float64, is formatted one number at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count

_TEMPLATES = {"fixed5": "%-7.5f", "e18": "%.18e"}
_CHUNK = 1 << 15  # numbers formatted at once: keeps the working set in the cache
_COMMENT = re.compile(rb"#[^\n]*")


def _make_digit_table(n_digits: int) -> np.ndarray:
    numbers = np.arange(10**n_digits)
    return np.stack([numbers // 10**k % 10 for k in reversed(range(n_digits))], axis=1).astype(np.uint8) + ord("0")


_DIGITS2 = _make_digit_table(2)
_DIGITS4 = _make_digit_table(4)
_DIGITS5 = _make_digit_table(5)
_POWERS_OF_5 = np.array([5**k for k in range(28)], dtype=np.uint64)
_POWERS_OF_10 = np.array([float(f"1e{k}") for k in range(-9, 20)])


def format_rows(rows: np.ndarray, spelling: str, separator: str = " ") -> bytes:
    r"""Text of a matrix, a line a row.

    Parameters
    ----------
    rows : ndarray, (n, m)
        Real numbers or integers.
    spelling : {"fixed5", "e18", "exact"}
        How a number is written.
    separator : str
        One character between numbers.

    Examples
    --------
    >>> format_rows(np.array([[0.5, -2.0]]), "fixed5")
    b'0.50000 -2.00000\n'
    """
    rows = np.asarray(rows)
    if rows.ndim != 2:
        raise ValueError(f"expected a matrix; got {rows.ndim} axes")
    if rows.shape[1] == 0:
        return b"\n" * rows.shape[0]
    step = max(1, _CHUNK // rows.shape[1])
    return b"".join(
        _format_chunk(np.ascontiguousarray(rows[start : start + step]), spelling, separator)
        for start in range(0, rows.shape[0], step)
    )


def _format_chunk(rows: np.ndarray, spelling: str, separator: str) -> bytes:
    if spelling == "exact":
        return _format_exact(rows, separator)
    template, write = _TEMPLATES[spelling], {"fixed5": _write_fixed5, "e18": _write_e18}[spelling]
    with np.errstate(invalid="ignore"):  # signalling NaN
        numbers = rows.astype(np.float64)
    regular = _find_regular_e18(numbers) if spelling == "e18" else _find_regular_fixed5(numbers)
    whole: np.ndarray = np.all(regular, axis=1)
    pieces: list[bytes] = []
    start = 0
    for stop in [*(np.flatnonzero(whole[1:] != whole[:-1]) + 1), len(rows)]:
        if whole[start]:
            pieces.append(write(numbers[start:stop], ord(separator)))
        else:
            line = separator.join([template] * rows.shape[1]) + "\n"
            pieces.append("".join([line % tuple(row) for row in rows[start:stop].tolist()]).encode())
        start = stop
    return b"".join(pieces)


def _end_numbers(chars: np.ndarray, keep: list[tuple[int, np.ndarray]], shape: tuple[int, ...], sep: int) -> bytes:
    """Put separators in the last column, drop the characters that are not kept."""
    chars[:, -1] = sep
    chars[shape[1] - 1 :: shape[1], -1] = ord("\n")
    dropped = [(column, flags) for column, flags in keep if not flags.all()]
    if not dropped:
        return chars.tobytes()
    mask = np.ones(chars.shape, dtype=bool)
    for column, flags in dropped:
        mask[:, column] = flags
    return chars[mask].tobytes()


def _find_regular_fixed5(numbers: np.ndarray) -> np.ndarray:
    """Where |x| 1e5 rounds in double precision as the exact product would."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(numbers)
        scaled = size * 1e5
        exact = numbers == numbers.astype(np.float32)
        near_tie = np.abs(scaled - np.floor(scaled) - 0.5) <= scaled * 2.0**-52
        return (size < 1e9) & (exact | ~near_tie)


def _write_fixed5(numbers: np.ndarray, separator: int) -> bytes:
    flat = numbers.ravel()
    hundred_thousandths = np.rint(np.abs(flat) * 1e5).astype(np.int64)
    whole = hundred_thousandths // 100_000
    fraction = hundred_thousandths - whole * 100_000
    width = len(str(int(whole.max())))
    chars = np.empty((flat.size, width + 8), dtype=np.uint8)
    chars[:, 0] = ord("-")
    keep = [(0, np.signbit(flat))]
    for column in range(1, width + 1):
        power = 10 ** (width - column)
        chars[:, column] = whole // power % 10 + ord("0")
        if power > 1:
            keep.append((column, whole >= power))
    chars[:, width + 1] = ord(".")
    chars[:, width + 2 : width + 7] = _DIGITS5[fraction]
    return _end_numbers(chars, keep, numbers.shape, separator)


def _find_regular_e18(numbers: np.ndarray) -> np.ndarray:
    """Where a number has at most 24 bits and is 0 or between 1e-9 and 1e18."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(numbers)
        mantissa = np.frexp(size)[0] * 2.0**24
        return (size == 0) | ((mantissa == np.floor(mantissa)) & (size >= 1e-9) & (size < 1e18))


def _write_e18(numbers: np.ndarray, separator: int) -> bytes:
    flat = numbers.ravel()
    digits, exponent = _to_19_digits(np.abs(flat))
    chars = np.empty((flat.size, 26), dtype=np.uint8)
    chars[:, 0] = ord("-")
    high, low = digits // 10**10, digits % 10**10
    first = _DIGITS4[high // 10**5]
    chars[:, 1] = first[:, 0]
    chars[:, 2] = ord(".")
    chars[:, 3:6] = first[:, 1:]
    chars[:, 6:11] = _DIGITS5[high % 10**5]
    chars[:, 11:16] = _DIGITS5[low // 10**5]
    chars[:, 16:21] = _DIGITS5[low % 10**5]
    chars[:, 21] = ord("e")
    chars[:, 22] = np.where(exponent < 0, ord("-"), ord("+"))
    chars[:, 23:25] = _DIGITS2[np.abs(exponent)]
    return _end_numbers(chars, [(0, np.signbit(flat))], numbers.shape, separator)


def _to_19_digits(size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers of 19 digits and powers of ten: ``size`` = digits 10^(power - 18), ties to even.

    With ``size`` = m 2^e and m of 24 bits, digits = m 5^p 2^(p + e) for p = 18 - power, where
    m 5^p is held as ``high`` 2^32 + ``low``.
    """
    zero = size == 0
    size = np.where(zero, 1.0, size)
    fraction, binary = np.frexp(size)
    power = np.floor((binary - 1) * np.log10(2.0)).astype(np.int64)
    power += size >= _POWERS_OF_10[power + 10]
    p = 18 - power
    mantissa = (fraction * 2.0**24).astype(np.uint64)
    five = _POWERS_OF_5[p]
    low = mantissa * (five & np.uint64(0xFFFFFFFF))
    high = mantissa * (five >> np.uint64(32)) + (low >> np.uint64(32))
    low &= np.uint64(0xFFFFFFFF)
    shift = -(p + binary - 24)
    left = np.maximum(-shift, 0).astype(np.uint64)
    right = np.maximum(shift, 0).astype(np.uint64)
    kept = ((high << (np.uint64(32) - right)) + (low >> right)) << left
    rest = low & ((np.uint64(1) << right) - np.uint64(1))
    half = (np.uint64(1) << right) >> np.uint64(1)
    kept += (rest > half) | ((rest == half) & (right > 0) & (kept & np.uint64(1) == 1))
    return np.where(zero, np.uint64(0), kept), np.where(zero, 0, power)


def _format_exact(rows: np.ndarray, separator: str) -> bytes:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = rows.astype(np.float32) if rows.dtype == np.float16 else rows
    texts = pc.cast(pa.array(rows.ravel()), pa.string())
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)[: rows.size + 1]
    letters = np.frombuffer(texts.buffers()[2], dtype=np.uint8)[: offsets[-1]]
    chars = np.full(letters.size + rows.size, ord(separator), dtype=np.uint8)
    ends = offsets[1:] + np.arange(rows.size)
    is_letter = np.ones(chars.size, dtype=bool)
    is_letter[ends] = False
    chars[is_letter] = letters
    chars[ends[rows.shape[1] - 1 :: rows.shape[1]]] = ord("\n")
    return chars.tobytes()


def parse_numbers(text: bytes, separator: str = " ") -> np.ndarray:
    """Numbers of a text, comments (``#`` to the end of the line) left out, as float64.

    Parameters
    ----------
    text : bytes
        Numbers between white space or ``separator``.

    Raises
    ------
    ValueError
        When a word is not a number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if b"#" in text:
        text = _COMMENT.sub(b"", text)
    chars = np.frombuffer(text, dtype=np.uint8)
    gap = chars <= ord(" ")
    if separator != " ":
        gap |= chars == ord(separator)
    letter = ~gap
    starts = letter.copy()
    starts[1:] &= gap[:-1]
    words = starts[letter]
    offsets = np.append(np.flatnonzero(words), words.size).astype(np.int32)
    array = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(chars[letter]))
    try:
        return pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise ValueError(str(error)) from error


def read_numbers(file: IO[bytes], chunk_bytes: int = 1 << 20) -> Iterator[np.ndarray]:
    """Yield the numbers of an open text file, piece by piece, comments left out."""
    rest = b""
    while chunk := file.read(chunk_bytes):
        text = rest + chunk
        cut = text.rfind(b"\n") + 1 or text.rfind(b" ") + 1
        rest = text[cut:]
        yield parse_numbers(text[:cut])
    yield parse_numbers(rest)


def fill_from_text(file: IO[bytes], values: np.ndarray, name: str) -> np.ndarray:
    """Fill ``values`` row-major with the numbers of an open text file, which must hold exactly as many."""
    flat = values.reshape(-1)
    filled = 0
    try:
        for numbers in read_numbers(file):
            flat[filled : filled + numbers.size] = numbers
            filled += numbers.size
    except ValueError as error:
        raise InputError(f"{format_count(flat.size, 'number')} in {name}", got=f"something else ({error})") from error
    if filled != flat.size:
        raise InputError(
            f"{format_count(flat.size, 'number')} in {name}", got=f"{filled}", hint="writing the file again"
        )
    return values
