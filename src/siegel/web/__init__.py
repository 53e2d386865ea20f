"""Floor 3: ASGI. Turns requests into use cases, and their results and errors into answers."""
