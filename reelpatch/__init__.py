"""Reelpatch: instruction-based video editing as patches on Wan-family transformers."""

__version__ = "0.1.0"
