"""Architectures that no other package has."""
