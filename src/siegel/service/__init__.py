"""Floor 2: the use cases. Knows the ports, not the drivers behind them."""
