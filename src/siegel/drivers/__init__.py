"""Floor 2: the outside world behind the ports of `domain/ports.py`."""
