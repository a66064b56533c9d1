"""Long work as shards: plan, claim, run, receipt, commit. Knows nothing of what a shard holds."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Files": "._receipts",
        "FileState": "._verify",
        "Finish": "._run",
        "JobFolder": "._folder",
        "OutputCheck": "._verify",
        "Parcel": "._parcel",
        "Plan": "._plan",
        "Shard": "._plan",
        "ValuePickler": "._parcel",
        "Worker": "._run",
        "check_content": "._content",
        "check_source": "._content",
        "cut_range": "._plan",
        "find_job_folders": "._content",
        "find_output": "._content",
        "has_content": "._receipts",
        "read_digests": "._content",
        "read_record": "._records",
        "refuse_damaged": "._content",
        "run_plan": "._run",
        "verify_outputs": "._verify",
        "write_record": "._records",
    },
)
