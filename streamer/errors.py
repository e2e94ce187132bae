"""The one tree of errors that Tidegate raises.

TidegateError
├── ConfigInvalid     the configuration has mistakes; all of them are listed
├── SourceUnreadable  a replay source cannot be read
├── Stopped           a person stopped what has no answer before its end
├── ArchiveUnusable   an archive's folder is damaged, in use, or of another topic
├── BrokerFailed      the embedded broker did not start
├── KafkaUnreachable  no broker answers, or a topic is not as it must be
├── StateUnreadable   the worker's state is of a newer version, or of one that is too old
└── BackupRefused     a backup cannot be made or restored as things are
"""


class TidegateError(Exception):
    """Base of all errors that the command line explains in one line and exits 1 for."""


class ConfigInvalid(TidegateError):
    """The configuration has mistakes; `mistakes` holds one sentence each, with its place."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class SourceUnreadable(TidegateError):
    """A replay source is missing, of an unknown kind, or damaged."""


class Stopped(TidegateError):
    """A person stopped a command that has no answer before its end; it has written nothing."""


class ArchiveUnusable(TidegateError):
    """An archive cannot be added to: damaged, open elsewhere, or of another topic."""


class BrokerFailed(TidegateError):
    """The embedded broker died or was not ready in time."""


class KafkaUnreachable(TidegateError):
    """No Kafka broker answers at the configured address, or a topic is missing."""


class StateUnreadable(TidegateError):
    """The state on the changelogs, or in a backup, is of a layout that this version does not read."""


class BackupRefused(TidegateError):
    """A backup cannot be made or restored: workers run, the file is damaged, or there is state already."""
