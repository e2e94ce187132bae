"""Reads the configuration from its file and the environment, and lists every mistake with its place."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from streamer.config import Config
from streamer.errors import ConfigInvalid

PREFIX = "TIDEGATE_"
_SLACK_SECRETS = {
    "token": "SLACK_BOT_TOKEN",
    "app_token": "SLACK_APP_TOKEN",
    "signing_secret": "SLACK_SIGNING_SECRET",
}
# Variables of the project's own tools and tests, which are no settings.
_NOT_SETTINGS = ("TIDEGATE_TEST_", "TIDEGATE_CONFIG")


class _Environment(EnvSettingsSource):
    """The environment's values; what is not the JSON that it must be is left for the validation to refuse.

    Of lists in `given`, the file's values, it may hold single entries by their number, from 0.
    """

    def __init__(self, settings_cls: type[BaseSettings], given: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._given = given

    def __call__(self) -> dict[str, Any]:
        """Give the values by section."""
        given = self._given()
        return {name: _with_lists(value, given.get(name)) for name, value in super().__call__().items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Decode a variable that holds a whole section or list."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class _Layered(Config, BaseSettings):
    """The configuration with the environment laid over what the constructor was given."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return _Environment(settings_cls, init_settings), init_settings


def load(path: Path | None) -> Config:
    """Read `path` (None: defaults only) and the environment; raises ConfigInvalid with all mistakes."""
    values = _with_slack_secrets(_from_file(path) if path else {})
    strange = _unknown_variables(os.environ)
    try:
        config = _Layered(**values)
    except ValidationError as error:
        raise ConfigInvalid([*_mistakes(error, path), *strange]) from None
    if strange:
        raise ConfigInvalid(strange)
    return config


def _with_lists(found: Any, given: Any) -> Any:
    """Make lists of what numbers their entries (`RECEIVERS__0__SECRET`), laid over those that are given."""
    if not isinstance(found, dict):
        return found
    if found and isinstance(given, list) and found.keys() <= {str(place) for place in range(len(given))}:
        return [_over(one, found.get(str(place), one)) for place, one in enumerate(given)]
    return {
        name: _with_lists(value, given.get(name) if isinstance(given, dict) else None) for name, value in found.items()
    }


def _over(given: Any, found: Any) -> Any:
    found = _with_lists(found, given)
    if not isinstance(found, dict) or not isinstance(given, dict):
        return found
    return {**given, **{name: _over(given.get(name), value) for name, value in found.items()}}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigInvalid([f"{path}: there is no such file"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigInvalid([f"{path}: not readable as TOML: {error}"]) from None


def _with_slack_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Take secrets from the variables that every Slack app uses, where the file has none."""
    slack = values.get("slack", {})
    if not isinstance(slack, dict):
        return values
    missing = {key: os.environ.get(name) for key, name in _SLACK_SECRETS.items() if not slack.get(key)}
    found = {key: value for key, value in missing.items() if value}
    return {**values, "slack": {**slack, **found}} if found else values


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    known = {PREFIX + name.upper() for name in Config.model_fields}
    sections = ", ".join(sorted(Config.model_fields))
    return [
        f"environment {name}: no such section; the sections are {sections}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and not name.startswith(_NOT_SETTINGS) and name.partition("__")[0] not in known
    ]


def _mistakes(error: ValidationError, path: Path | None) -> list[str]:
    return [
        f"{_place(found['loc'], path)}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _place(loc: tuple[int | str, ...], path: Path | None) -> str:
    """Name the variable where the environment set the value, else the file and the key, and the variables below it."""
    for length in range(len(loc), 0, -1):
        variable = PREFIX + "__".join(str(part).upper() for part in loc[:length])
        if variable in os.environ:
            return f"environment {variable} {_key(loc[length:])}".rstrip()
    begins = PREFIX + "".join(f"{part}__" for part in loc).upper()
    below = [name for name in sorted(os.environ) if loc and name.startswith(begins)]
    with_them = f" (with {', '.join(below)} of the environment)" if below else ""
    return f"{path or 'defaults'}: {_key(loc) or 'as a whole'}{with_them}"


def _key(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
