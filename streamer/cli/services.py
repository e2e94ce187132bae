"""The commands that run until they are told to stop, and the demo."""

import json
import sys
from pathlib import Path

import click

from streamer import settings
from streamer.cli.base import CONFIG, cli, configured, example
from streamer.routing import owners_of


@cli.command(**example("tidegate worker --config tidegate.toml"))
@CONFIG
def worker(path: Path | None) -> None:
    """Run the Faust worker: usage in, anomalies, notifications and throttle commands out."""
    config = configured(path)
    from streamer.kafka.worker import start  # noqa: PLC0415 - Faust costs a second that other commands need not wait

    sys.exit(start(config))


@cli.command("check-config", **example("tidegate check-config tidegate.toml"))
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def check_config(path: Path) -> None:
    """Check a configuration file, its owners' file and the environment, and list all mistakes at once."""
    owners_of(settings.load(path).alerts)
    click.echo(f"{path}: good")


@cli.command(**example("tidegate ingest --config tidegate.toml"))
@CONFIG
def ingest(path: Path | None) -> None:
    """Run the HTTP front door: POST /v1/events."""
    config = configured(path)
    from streamer.ingest.server import start  # noqa: PLC0415 - as above

    sys.exit(start(config))


@cli.group(**example("tidegate tokens new --tenant acme"))
def tokens() -> None:
    """Tokens of the HTTP front door."""


@tokens.command("new", **example("tidegate tokens new --tenant acme --tenant beta"))
@click.option("--tenant", "tenants", multiple=True, required=True, help="Whose events it may send; * for everybody's.")
def new_token(tenants: tuple[str, ...]) -> None:
    """Make a token, show it this once, and print what the configuration keeps of it."""
    from streamer.ingest.tokens import new  # noqa: PLC0415 - as above

    token, kept = new(tenants)
    click.echo(f"# For the sender's header; it is kept nowhere: Authorization: Bearer {token}")
    click.echo("# For the configuration of the front door, which reads it when it starts:")
    click.echo(f'[[ingest.tokens]]\nid = "{kept.id}"\nsha256 = "{kept.sha256}"\ntenants = {json.dumps(kept.tenants)}')


@cli.command(**example("tidegate page --config tidegate.toml"))
@CONFIG
def page(path: Path | None) -> None:
    """Run the live page: spend as it happens, incidents, and the hands to act upon them."""
    config = configured(path)
    from streamer.page.command import start  # noqa: PLC0415 - as above

    sys.exit(start(config))


@cli.command("page-token", **example("tidegate page-token ann"))
@click.argument("name")
def page_token(name: str) -> None:
    """Make a token with which NAME signs in to the live page, and the lines of the configuration that know it."""
    from streamer.page.access import new_token  # noqa: PLC0415 - as above
    from streamer.web.tokens import hashed  # noqa: PLC0415 - as above

    token = new_token()
    click.echo(f"# give this to {name}, it is nowhere else: {token}")
    click.echo(f'[[page.people]]\nname = {json.dumps(name)}\ntoken_sha256 = "{hashed(token)}"')


@cli.command(**example("tidegate demo --once"))
@click.option("--once", is_flag=True, help="End when the story is told; exit 0 only if all of it happened.")
def demo(once: bool) -> None:
    """See it all on this machine: broker, front door, worker, a gateway, and an agent that runs away."""
    from streamer.demo.command import run  # noqa: PLC0415 - as above

    sys.exit(run(once=once))
