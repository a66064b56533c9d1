"""Statistics on plain arrays that analyses are made of, under the names of this room."""

from beholder.statistics import (
    RDM_METHODS,
    RELIABILITY_METHODS,
    NoiseCeiling,
    PermutationTest,
    RsaBootstrap,
    bootstrap_rsa,
    compare_rdms,
    compute_reliability,
    compute_reliability_floor,
    noise_ceiling,
    permute_stimuli,
)

__all__ = [
    "RDM_METHODS",
    "RELIABILITY_METHODS",
    "NoiseCeiling",
    "PermutationTest",
    "RsaBootstrap",
    "bootstrap_rsa",
    "compare_rdms",
    "compute_reliability",
    "compute_reliability_floor",
    "noise_ceiling",
    "permute_stimuli",
]
