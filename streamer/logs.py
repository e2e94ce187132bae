"""Structured logs on standard error, from our code and from the libraries alike."""

import logging
import sys

import structlog

from streamer.config import LogConfig


def set_up(config: LogConfig) -> None:
    """Set the format and level of all logs of this process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
        # Never with the values of variables: they may be somebody's words, or a secret.
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
    )
    if config.format == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    level = logging.getLevelNamesMapping()[config.level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Line and end of line in one write, for the consumer's thread logs too.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _libraries(shared, renderer, level)


def _libraries(shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor, level: int) -> None:
    """Bring Faust's and aiokafka's logs into the same form, from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


class Seldom(logging.Filter):
    """Lets each place in the libraries' code speak so often in a span of seconds; then it says how often it would have.

    While a broker is away, every client has the same to say fifty times a second.
    """

    MOST, SPAN = 5, 10.0

    def __init__(self) -> None:
        super().__init__()
        self._spoken: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be written."""
        place = (record.pathname, record.lineno)
        since, count = self._spoken.get(place, (record.created, 0))
        if record.created - since > self.SPAN:
            if count > self.MOST:
                record.msg, record.args = f"{record.getMessage()} ({count - self.MOST} more like it before)", None
            since, count = record.created, 0
        self._spoken[place] = (since, count + 1)
        return count < self.MOST
