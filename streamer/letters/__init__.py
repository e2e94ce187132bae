"""Dead letters, for people: what was rejected, and sending it again once what was wrong is mended."""
