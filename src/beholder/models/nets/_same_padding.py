"""Padding that makes a stride divide a size: n positions become ⌈n / stride⌉."""

from __future__ import annotations


def find_same_padding(size: tuple[int, int], kernel: tuple[int, int], stride: int) -> tuple[int, int, int, int]:
    """How much to pad (left, right, top, bottom), as torch counts it; the odd one goes right and below.

    Parameters
    ----------
    size, kernel : (int, int)
        Rows and columns of the input, and of the kernel.
    stride : int

    >>> find_same_padding((211, 390), (7, 14), 3)
    (5, 6, 3, 3)
    """
    pads: list[int] = []
    for n, k in zip(reversed(size), reversed(kernel), strict=True):
        total = max((-(-n // stride) - 1) * stride + k - n, 0)
        pads += [total // 2, total - total // 2]
    return pads[0], pads[1], pads[2], pads[3]


def find_same_size(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns that come out.

    >>> find_same_size((211, 390), 3)
    (71, 130)
    """
    return -(-size[0] // stride), -(-size[1] // stride)
