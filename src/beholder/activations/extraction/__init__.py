"""A set of stimuli through a network into the store."""
