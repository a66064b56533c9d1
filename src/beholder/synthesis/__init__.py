"""Stimuli made to order: one optimiser loop."""
