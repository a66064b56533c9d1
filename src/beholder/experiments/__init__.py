"""Experiments: design, task folders, server, simulated participants. Knows no models."""
