"""The use cases of consents: operators ask, customers answer, the steward makes the evidence, each use is checked against it."""
