"""Many networks on one set of stimuli."""
