"""Human answers: schema, store, export, exclusions."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "BehavioralRDM": "._behavioral_rdm",
        "compute_odd_one_out_rdm": "._behavioral_rdm",
        "compute_rating_rdm": "._behavioral_rdm",
    },
)
