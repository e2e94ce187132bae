"""The operator's hand: what stands, what is wrong with what Tidegate stands on, and what to do about it."""
