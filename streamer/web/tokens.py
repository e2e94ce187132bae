"""What the configuration keeps of a token, of the front door and of the live page alike."""

from hashlib import sha256


def hashed(token: str) -> str:
    """Give the SHA-256 of a token: tokens are random, so that a plain hash keeps them secret."""
    # Header bytes that are no UTF-8 come as lone surrogates.
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
