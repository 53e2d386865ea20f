"""Measurements of a running Siegel against floors taken in the same run. Start with `python -m bench --help`."""
