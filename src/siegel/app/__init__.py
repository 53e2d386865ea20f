"""Floor 4: configuration, wiring, processes, command line."""
