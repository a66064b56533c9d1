"""Tuning: how units respond to a numeric or circular condition."""
