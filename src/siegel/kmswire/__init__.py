"""The protocol of KMS: operations, what they ask for, answers and errors, in JSON 1.1 (pure)."""
