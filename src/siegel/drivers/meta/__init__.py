"""Drivers of the MetaStore and Journal ports."""
