"""Routing as it is configured: what is inherited, who owns what, and which mistakes are found."""

from pathlib import Path

import pytest

from alerts.incident import Incident
from alerts.routes import Route, Step
from alerts.to_owner import ToOwner
from streamer.config import AlertsConfig, Config, EventsConfig, OwnersConfig
from streamer.errors import ConfigInvalid
from streamer.events.usage import UsageEvent
from streamer.owners import read_owners
from streamer.pipeline import Pipeline
from streamer.receivers import receivers_of, reporters_of, slack_of
from streamer.routing import dispatcher_of, owners_of, routes_of
from streamer.settings import load
from streamer.wiring import alert_of, desk_of
from tests.alerts.build import NOW, START, TRIAGE, alert
from tests.alerts.http_server import listening


class NoHistory:
    """Nothing is known of how a series went."""

    async def of(self, incident: Incident) -> None:
        return None


TREE = """
[[alerts.receivers]]
name = "team"
type = "console"
[[alerts.receivers]]
name = "pager"
type = "pagerduty"
routing_key = "R0UTING"
[[alerts.hours]]
name = "office"
zone = "Europe/Berlin"
days = ["mon", "fri"]
from = "08:00"
to = "18:30"
[[alerts.routes]]
match = { tenant = ["acme", "acme-*"] }
receiver = "team"
group_by = ["tenant"]
hours = ["office"]
escalate = [{ after_seconds = 900, receiver = "pager" }]
[[alerts.routes.routes]]
match = { severity = "critical" }
receiver = "pager"
continue = true
escalate = []
group_wait_seconds = 0
[[alerts.routes.routes]]
match = { "tag:team" = "search" }
[[alerts.routes]]
receiver = "team"
"""


def loaded(folder: Path, text: str) -> AlertsConfig:
    path = folder / "tidegate.toml"
    path.write_text(text)
    return load(path).alerts


def test_a_route_has_what_it_does_not_say_from_the_one_above(tmp_path: Path) -> None:
    acme, rest = routes_of(loaded(tmp_path, TREE))
    critical, search = acme.routes
    assert (acme.group_wait, acme.group_by, acme.escalate) == (2.0, ("tenant",), (Step(900, "pager"),))
    assert (critical.receiver, critical.group_by, critical.group_wait) == ("pager", ("tenant",), 0)
    assert (critical.escalate, critical.go_on) == ((), True)
    assert (search.receiver, search.escalate, search.hours) == ("team", acme.escalate, acme.hours)
    assert [(hours.name, hours.days, hours.start, hours.end) for hours in acme.hours] == [("office", (0, 4), 480, 1110)]
    assert rest == Route(receiver="team", group_by=("owner", "tenant", "kind"))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (TREE.replace('"office"]', '"lunch"]'), "routes name hours that do not exist: lunch"),
        (TREE.replace('receiver = "pager" }', 'receiver = "boss" }'), "routes name receivers that do not exist: boss"),
        (TREE.replace("Berlin", "Berlino"), "there is no time zone 'Europe/Berlino'"),
        (TREE.replace('"tag:team"', "team"), "alerts.routes"),
        (TREE.replace('routing_key = "R0UTING"', ""), "a receiver of type pagerduty needs a routing_key"),
        (TREE.replace('from = "08:00"', 'from = "8"'), "alerts.hours[0].from"),
        (TREE.replace('from = "08:00"', 'from = "24:00"'), "alerts.hours[0].from"),
        (TREE.replace('days = ["mon", "fri"]', "days = []"), "alerts.hours[0].days"),
        ('[alerts]\nfallback = "nobody"', "the fallback is a receiver that does not exist: nobody"),
        ('[[alerts.receivers]]\nname = "x"\ntype = "webhook"\nurl = "ftp://x"', "must begin with https:// or http://"),
        ('[[alerts.routes]]\nmatch = {tenant = "acme"}\nreceiver = "console"', "the last route must match everything"),
        ("[[alerts.routes]]\n", "a route at the top must name its receiver"),
    ],
)
def test_mistakes_are_said_with_their_place(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(ConfigInvalid) as found:
        loaded(tmp_path, text)
    assert any(mistake in line for line in found.value.mistakes)


CSV = """tenant,use_case,agent,owner,channel,email,cost_centre
acme,support,tri*,triage-team,C1,t@acme.example,cc-7
acme,*,,acme-it,,,
"""
TOML = """
[[owners]]
tenant = "acme"
use_case = "support"
agent = "tri*"
owner = "triage-team"
channel = "C1"
email = "t@acme.example"
tags = { cost_centre = "cc-7" }
[[owners]]
tenant = "acme"
owner = "acme-it"
"""


@pytest.mark.parametrize(("name", "text"), [("owners.csv", CSV), ("owners.toml", TOML)])
def test_owners_are_read_from_csv_and_toml_alike(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    config = loaded(tmp_path, f'[alerts.owners]\nfile = "{tmp_path / name}"')
    owners = owners_of(config)
    assert owners.labels_of({"tenant": "acme", "use_case": "support", "agent": "triage"}) == {
        "owner": "triage-team",
        "tag:cost_centre": "cc-7",
    }
    assert owners.labels_of({"tenant": "acme"}) == {"owner": "acme-it"}
    assert owners.labels_of({"tenant": "globex"}) == {"owner": "finops"}
    found = dispatcher_of(config)
    found.submit(alert(labels=TRIAGE), NOW)
    (notification,) = found.pending(NOW + 2)
    assert notification.owner is not None
    assert (notification.owner.name, notification.owner.channel) == ("triage-team", "C1")


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("owners.csv", "tenant,owner\nacme\n", "owners.csv, line 2: not as many fields as the first line has columns"),
        ("owners.csv", "tenant,owner\nacme,a,b\n", "owners.csv, line 2: not as many fields"),
        ("owners.csv", "tenant,owner\nacme,\n", "owners.csv, line 2: names neither an owner nor a tag"),
        ("owners.csv", "", "the first line names no column for the owner"),
        ("owners.csv", "tenant,agent\nacme,a\n", "the first line names no column for the owner"),
        ("owners.csv", "owner,channel\nacme-it,C1\n", "the first line names none of tenant, use_case, agent"),
        ("owners.csv", "tenant,owner,owner\nacme,a,b\n", "the first line names the column 'owner' twice"),
        ("owners.csv", "Tenant,owner\nacme,a\n", "'Tenant' is a tag; if 'tenant' is meant, spell it so"),
        ("owners.csv", "tenant,usecase,owner\nacme,s,a\n", "if 'use_case' is meant, spell it so"),
        ("owners.csv", "use case,Owner\ns,a\n", "if 'use_case' is meant, spell it so"),
        (
            "owners.toml",
            '[[owners]]\nUse-Case = "s"\nowner = "x"',
            "owners 1: 'Use-Case' is a tag; if 'use_case' is meant",
        ),
        ("owners.toml", '[[owner]]\ntenant = "a"\nowner = "x"', "there is no [[owners]] in it"),
        ("owners.toml", '[[owners]]\ntenant = 3\nowner = "x"', "owners.toml, owners 1: tenant must be text"),
        (
            "owners.toml",
            '[[owners]]\ntenant = "a"\nowner = "x"\ntags = {tenant = "b"}',
            "owners.toml, owners 1: a tag cannot be called 'tenant'",
        ),
        (
            "owners.toml",
            '[[owners]]\ntenant = "a"\ntags = {"tag:team" = "b"}',
            "owners.toml, owners 1: a tag cannot be called 'tag:team'",
        ),
        ("owners.toml", "[[owners", "owners.toml: not readable as TOML"),
        ("owners.toml", "owners = 3", "owners.toml: not readable as TOML"),
        ("owners.txt", "", "owners.txt: the owners' file must be .csv or .toml"),
    ],
)
def test_mistakes_in_an_owners_file_are_said_with_their_place(
    tmp_path: Path, name: str, text: str, mistake: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigInvalid) as found:
        read_owners(tmp_path / name)
    assert mistake in str(found.value)


@pytest.mark.parametrize("separator", [",", ", ", ";", "; ", "\t"])
def test_an_owners_file_of_any_spreadsheet_is_read_alike(tmp_path: Path, separator: str) -> None:
    (tmp_path / "plain.csv").write_text(CSV)
    (tmp_path / "owners.csv").write_text(CSV.replace(",", separator))
    plain, found = (read_owners(tmp_path / name) for name in ("plain.csv", "owners.csv"))
    assert [(rule.match, rule.owner, rule.channel, rule.tags) for rule in found] == [
        (rule.match, rule.owner, rule.channel, rule.tags) for rule in plain
    ]
    assert [rule.origin.rpartition(" ")[2] for rule in found] == [rule.origin.rpartition(" ")[2] for rule in plain]


def test_an_owners_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="there is no such file"):
        read_owners(tmp_path / "owners.csv")


def test_a_receiver_may_go_to_the_owners_own_channel(tmp_path: Path) -> None:
    (tmp_path / "owners.csv").write_text(CSV)
    alerts = {
        "receivers": [{"name": "owners", "type": "slack", "channel": "C0", "to_owner": True}],
        "routes": [{"receiver": "owners"}],
        "owners": {"file": str(tmp_path / "owners.csv")},
    }
    config = Config.model_validate({"alerts": alerts, "slack": {"token": "xoxb-1"}})
    receivers = receivers_of(config, slack_of(config), NoHistory())
    assert isinstance(receivers["owners"], ToOwner)
    assert reporters_of(receivers).keys() == {"owners"}


async def test_webhooks_and_pagerduty_are_built_as_they_are_configured() -> None:
    async with listening() as taken:
        receivers = [
            {"name": "hook", "type": "webhook", "url": taken.url, "secret": "s"},
            {"name": "pager", "type": "pagerduty", "url": taken.url, "routing_key": "R0UTING"},
        ]
        alerts = {"receivers": receivers, "routes": [{"receiver": "hook", "continue": True}, {"receiver": "pager"}]}
        config = Config.model_validate({"alerts": alerts})
        found, built = dispatcher_of(config.alerts), receivers_of(config, slack_of(config), NoHistory())
        found.submit(alert(), NOW)
        for notification in found.pending(NOW + 2):
            await built[notification.receiver].send(notification)
    assert [headers for headers in taken.headers if "Tidegate-Signature" in headers]
    assert [body for body in taken.bodies if b'"event_action":"trigger"' in body]
    assert len(taken.bodies) == 2


def test_an_events_tag_names_the_owner_directly_or_by_the_owners_file(tmp_path: Path) -> None:
    """From the usage event to the notification; over a restart of the meter, too."""
    lines = ("tag:team,tenant,owner,channel", "blue*,,search-team,C0SEARCH", ",initech,it,C0IT")
    (tmp_path / "owners.csv").write_text("\n".join(lines))
    owners = OwnersConfig(file=str(tmp_path / "owners.csv"), tag="team")
    config = Config(alerts=AlertsConfig(owners=owners), events=EventsConfig(tags=("env",)))
    told: dict[str, tuple[str, str]] = {}
    desk, at = desk_of(config), NOW
    for tenant, team in (("acme", "blue-1"), ("globex", "red"), ("initech", ""), ("hooli", "")):
        first, again = Pipeline(config), Pipeline(config)
        calls = [looping(tenant, number, {"team": team, "env": "prod", "run": "7"}) for number in range(6)]
        first.submit(calls[:3], at)
        again.restore({name: part for name, part in first.changes() if part})
        for anomaly in again.submit(calls[3:], at).anomalies:
            desk.submit(alert_of(anomaly), at)
    for notification in desk.dispatcher.pending(at + 5):
        labels = notification.incident.main.labels
        assert notification.owner is not None
        assert labels["tag:env"] == "prod"
        assert "tag:run" not in labels
        told[labels["tenant"]] = (notification.owner.name, notification.owner.channel)
    assert told == {
        "acme": ("search-team", "C0SEARCH"),
        "globex": ("red", ""),
        "initech": ("it", "C0IT"),
        "hooli": ("finops", ""),
    }


def looping(tenant: str, number: int, tags: dict[str, str]) -> UsageEvent:
    return UsageEvent(
        id=str(number),
        time=START,
        tenant=tenant,
        use_case="support",
        agent="triage",
        session="s1",
        kind="tool",
        tool="search",
        tool_args_hash="aa",
        tool_calls=1,
        tags=tags,
    )
