"""The fuzzer: spoils records of every format and holds the decoder to its word."""
