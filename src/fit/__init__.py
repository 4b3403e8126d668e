"""Fit functions with small neural networks from the command line, and believe the numbers."""

__version__ = "0.1.0"
