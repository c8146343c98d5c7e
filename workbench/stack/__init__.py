"""Arithmetic over the frame axis."""
