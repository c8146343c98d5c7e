"""Gain, noise and dark current, each with its error, and the survey that measures all of a camera."""
