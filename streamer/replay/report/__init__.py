"""The report of a replay: one page that opens offline, in print and in the dark."""
