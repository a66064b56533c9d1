"""Long work as shards: plan, claim, run, receipt, commit. Knows nothing of what a shard holds.

>>> import beholder as bh
>>> bh.jobs.parse_cluster("local:2").kind
'local'
"""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
