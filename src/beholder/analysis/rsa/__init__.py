"""Representational similarity analysis: layers against brains, people and other networks."""
