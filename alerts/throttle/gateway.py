"""A gateway's side: the current state of the throttle topic, and what it means for one request."""

import msgspec

from alerts.throttle.command import Command, CommandScope


class GatewayState:
    """The commands that a gateway has read, one a scope. Feed it the whole topic from its start.

    >>> GatewayState().command_for(CommandScope("acme"), now=0.0) is None
    True
    """

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def apply(self, key: str, record: bytes | None) -> Command | None:
        """Take in a record of the topic; gives the command if it is news.

        A record that is no command raises msgspec.ValidationError; one of an old generation is passed over.
        """
        if record is None:
            self._commands.pop(key, None)
            return None
        command = _decode(record)
        known = self._commands.get(key)
        if known and known.generation >= command.generation:
            return None
        self._commands[key] = command
        return command

    def command_for(self, request: CommandScope, now: float) -> Command | None:
        """Find the enforced command that binds a request at `now` (epoch seconds): the most specific scope wins.

        A release ends the command of its own scope only; a wider one goes on.
        """
        in_force = (command for command in self._commands.values() if _in_force(command, now))
        binding = [command for command in in_force if command.scope.covers(request)]
        return max(binding, key=lambda command: command.scope.narrowness, default=None)


def _decode(record: bytes) -> Command:
    try:
        return msgspec.json.decode(record, type=Command)
    except msgspec.DecodeError as error:  # what is not even JSON is no ValidationError
        raise msgspec.ValidationError(str(error)) from error


def _in_force(command: Command, now: float) -> bool:
    return command.mode == "enforce" and command.action != "release" and command.expires_at.timestamp() > now
