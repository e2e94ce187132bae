"""The clock of the edge rooms, and the conversions between epoch seconds and datetimes.

Pure rooms take ``now`` as an argument (epoch seconds, float); only rooms with I/O, and the commands, call `wall`.
"""

import time
from datetime import UTC, datetime


def wall() -> float:
    """Give the time of day, in epoch seconds."""
    return time.time()


def utc(at: float) -> datetime:
    """Convert epoch seconds into an aware UTC datetime, rounded to whole microseconds."""
    return datetime.fromtimestamp(round(at, 6), UTC)
