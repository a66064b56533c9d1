"""Procedures that choose the next level from the answers."""
