"""One self-contained HTML page of everything found in a folder.

Sections register per kind of file in :data:`SECTIONS`; other rooms and installed packages add theirs
through the entry-point group ``beholder.report_sections``. The report reads and draws; it computes nothing.

>>> import beholder as bh
>>> "figures" in bh.report.SECTIONS.names()
True
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
