"""Null distributions for metamers."""
