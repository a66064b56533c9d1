"""Long work as shards: plan, claim, run, receipt, commit. Knows nothing of what a shard holds."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Finish": "._run",
        "JobFolder": "._folder",
        "Plan": "._plan",
        "Shard": "._plan",
        "Worker": "._run",
        "cut_range": "._plan",
        "run_plan": "._run",
    },
)
