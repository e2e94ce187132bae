"""The live page: what is spent now, what is wrong with it, and the hands to act upon it."""
