"""The signature of a webhook: what its receiver checks before it believes a word."""

import hmac
from hashlib import sha256

TIMESTAMP, SIGNATURE, DELIVERY = "Tidegate-Timestamp", "Tidegate-Signature", "Tidegate-Delivery"


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """Give HMAC-SHA256 over the timestamp (whole epoch seconds, in decimal), a full stop and the body, in hexadecimal.

    >>> signature(b"secret", 1795341600, b"{}")[:20]
    'v1=4299b6593bbfff089'
    """
    return "v1=" + hmac.new(secret, b"%d.%b" % (timestamp, body), sha256).hexdigest()


def verified(secret: bytes, timestamp: str, body: bytes, signed: str, *, now: float, most: float = 300.0) -> bool:
    """Tell whether a webhook is ours and, at `now` (epoch seconds), not older (or newer) than `most` seconds.

    >>> verified(b"secret", "1795341600", b"{}", signature(b"secret", 1795341600, b"{}"), now=1795341610.0)
    True
    >>> verified(b"secret", "1795341600", b"[]", signature(b"secret", 1795341600, b"{}"), now=1795341610.0)
    False
    """
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp)) > most:
        return False
    return hmac.compare_digest(signature(secret, int(timestamp), body).encode(), signed.encode())
