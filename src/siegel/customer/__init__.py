"""What a customer runs on machines of his own, and for which he need not trust the provider. Knows floors 0 and 1 alone."""
