"""How often Python looks for cycles of objects, for processes that keep a great many."""

import gc

# Objects made before a young generation is looked through, and how many of those before an older one is. Young ones
# often and little: who waits for a throttle command waits for each look, too. All there is, hardly ever.
_THRESHOLDS = 10_000, 20, 1_000


def collect_seldom() -> None:
    """Look for cycles seldom: hardly anything here is in one, and looking costs a tenth of all time."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
