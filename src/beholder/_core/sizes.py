"""How sizes of files and of memory are said."""

from __future__ import annotations


def format_bytes(n: float) -> str:
    """A number of bytes in decimal units, never as none of a unit.

    >>> [format_bytes(n) for n in (0, 512, 20_480, 1_300_000, 2.5e9, 131e9, 4e12)]
    ['0 bytes', '512 bytes', '20 kB', '1.3 MB', '2.5 GB', '131 GB', '4.0 TB']
    """
    if n < 1000:
        return f"{n:.0f} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        n /= 1000
        if n < 999.5 or unit == "TB":
            return f"{n:.1f} {unit}" if n < 9.95 else f"{n:,.0f} {unit}"
    raise AssertionError
