"""Distances between stimuli by name: those of activations, and those that need repeats or a noise model."""
