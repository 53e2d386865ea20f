"""Drivers of the BlobStore port."""
