"""Whether what the page shows is of now: does Kafka answer, does a worker run, has all been read."""


class Pulse:
    """What was found last; before anything was, nothing is known of workers.

    >>> pulse = Pulse()
    >>> pulse.beat(3), pulse.miss(65.0), pulse.miss(70.0)
    (None, None, None)
    >>> pulse.workers, pulse.away_since
    (None, 65.0)
    """

    def __init__(self) -> None:
        #: How many workers there are; None where the broker does not tell.
        self.workers: int | None = None
        #: When Kafka was first found not to answer; None while it does.
        self.away_since: float | None = None
        #: What is still to be read of what was there at the start, "" once all is.
        self.reading = "waiting for Kafka"

    def beat(self, workers: int | None) -> None:
        """Note that Kafka answers, with so many workers (None: it does not tell)."""
        self.workers, self.away_since = workers, None

    def miss(self, at: float) -> None:
        """Note that Kafka did not answer at `at` (epoch seconds)."""
        self.workers, self.away_since = None, at if self.away_since is None else self.away_since
