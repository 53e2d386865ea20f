"""Siegel: an S3 store whose provider nobody has to trust."""

__version__ = "0.1.0"
