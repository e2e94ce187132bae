"""Dollars: every usage event gets a cost, and it is said where the cost is from."""
