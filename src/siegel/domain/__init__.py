"""Floor 0: nouns, limits, the error tree, the ports. Knows nothing of protocols, databases or ciphers."""
