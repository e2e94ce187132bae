"""The configuration is read from its file and the environment; every mistake is told at once, with its place."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from streamer.config import Config
from streamer.errors import ConfigInvalid
from streamer.settings import load

SECRETS = ("s3cret-password", "s3cret-key", "s3cret-token")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the tester's own environment."""
    for name in list(os.environ):
        if name.startswith("TIDEGATE_") or name == "SLACK_BOT_TOKEN":
            monkeypatch.delenv(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tidegate.toml"


def mistakes(path: Path | None) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        load(path)
    assert str(caught.value) == "\n".join(caught.value.mistakes)
    return caught.value.mistakes


def test_without_a_file_and_variables_the_defaults_hold() -> None:
    assert load(None).model_dump() == Config().model_dump()


def test_a_file_is_read(path: Path) -> None:
    path.write_text(
        '[windows]\nsize_seconds = 60\n[[budgets]]\ntenant = "acme"\nlimit = 5.5\n[detect.burst.floors]\nusd = 1'
    )
    config = load(path)
    assert config.windows.size_seconds == 60
    assert config.budgets[0].limit == Decimal("5.5")
    assert config.detect.burst.floors.usd == 1


def test_the_environment_wins_over_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text('[kafka]\nbootstrap = "file:9092"\ngroup = "file"\n[detect.loop]\nrepeats = 7\nmemory = 64')
    monkeypatch.setenv("TIDEGATE_KAFKA__BOOTSTRAP", "environment:9092")
    monkeypatch.setenv("TIDEGATE_DETECT__LOOP__REPEATS", "9")
    config = load(path)
    assert (config.kafka.bootstrap, config.kafka.group) == ("environment:9092", "file")
    assert (config.detect.loop.repeats, config.detect.loop.memory) == (9, 64)


def test_lists_can_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_BUDGETS", '[{"tenant": "acme", "limit": "10"}]')
    assert load(None).budgets[0].tenant == "acme"


HOOKS = """
[[alerts.receivers]]
name = "hook"
type = "webhook"
url = "https://hooks.example/1"
[[alerts.receivers]]
name = "pager"
type = "pagerduty"
[[alerts.routes]]
receiver = "hook"
escalate = [{ after_seconds = 60, receiver = "pager" }]
"""


def test_secrets_of_receivers_come_from_the_environment_by_their_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(HOOKS)
    monkeypatch.setenv("TIDEGATE_ALERTS__RECEIVERS__0__SECRET", SECRETS[1])
    monkeypatch.setenv("TIDEGATE_ALERTS__RECEIVERS__1__ROUTING_KEY", SECRETS[2])
    monkeypatch.setenv("TIDEGATE_ALERTS__ROUTES__0__ESCALATE__0__AFTER_SECONDS", "90")
    hook, pager = load(path).alerts.receivers
    assert (hook.url, hook.secret.get_secret_value()) == ("https://hooks.example/1", SECRETS[1])
    assert (pager.name, pager.routing_key.get_secret_value()) == ("pager", SECRETS[2])
    (step,) = load(path).alerts.routes[0].escalate or ()
    assert (step.after_seconds, step.receiver) == (90, "pager")


@pytest.mark.parametrize("place", ["2", "first"])
def test_a_variable_of_an_entry_that_the_file_does_not_have_is_named(
    path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(HOOKS.replace('"pagerduty"', '"console"'))
    name = f"TIDEGATE_ALERTS__RECEIVERS__{place.upper()}__SECRET"
    monkeypatch.setenv(name, SECRETS[1])
    (found,) = mistakes(path)
    assert found.startswith(f"{path}: alerts.receivers (with {name} of the environment): ")
    assert SECRETS[1] not in found


def test_a_mistake_in_an_entry_from_the_environment_is_said_of_its_variable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(HOOKS.replace('"pagerduty"', '"console"'))
    monkeypatch.setenv("TIDEGATE_ALERTS__RECEIVERS__0__TIMEOUT_SECONDS", "soon")
    (found,) = mistakes(path)
    assert found.startswith(
        "environment TIDEGATE_ALERTS__RECEIVERS__0__TIMEOUT_SECONDS: Input should be a valid number"
    )


def test_all_mistakes_are_listed_at_once_with_their_places(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(
        """
        [windows]
        size_seconds = 0
        siz = 1
        [[budgets]]
        tenant = "acme"
        limit = 1
        [[budgets]]
        tenant = "acme"
        limit = -1
        [detect.loop]
        memory = 4
        [nonsense]
        """
    )
    monkeypatch.setenv("TIDEGATE_WEB__PORT", "many")
    monkeypatch.setenv("TIDEGATE_KAFKA__BOTSTRAP", "x")
    monkeypatch.setenv("TIDEGATE_KAFAK__BOOTSTRAP", "x")
    found = mistakes(path)
    assert len(found) == 8
    places = [
        f"{path}: windows.size_seconds: Input should be greater than 0",
        f"{path}: windows.siz: Extra inputs are not permitted",
        f"{path}: budgets[1].limit: Input should be greater than 0",
        f"{path}: detect.loop.longest_cycle: memory is too short for repeats or window, or window",
        f"{path}: nonsense: Extra inputs are not permitted",
        "environment TIDEGATE_WEB__PORT: Input should be a valid integer",
        "environment TIDEGATE_KAFKA__BOTSTRAP: Extra inputs are not permitted",
        "environment TIDEGATE_KAFAK__BOOTSTRAP: no such section; the sections are alerts, budgets, ",
    ]
    for place in places:
        assert any(mistake.startswith(place) for mistake in found), place


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TIDEGATE_BUDGETS", "ten dollars", "environment TIDEGATE_BUDGETS: Input should be a valid tuple"),
        ("TIDEGATE_KAFKA", "here", "environment TIDEGATE_KAFKA: Input should be a valid dictionary"),
        ("TIDEGATE_ALERTS__ROUTES", "[{", "environment TIDEGATE_ALERTS__ROUTES: Input should be a valid tuple"),
        (
            "TIDEGATE_BUDGETS",
            '[{"tenant": "acme", "limit": 0}]',
            "environment TIDEGATE_BUDGETS [0].limit: Input should be greater than 0",
        ),
    ],
)
def test_a_variable_that_holds_a_list_or_section_is_named_too(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    (found,) = mistakes(None)
    assert found.startswith(message)


@pytest.mark.parametrize("name", ["TIDEGATE_TEST_KEEP", "TIDEGATE_CONFIG"])
def test_variables_of_the_tools_are_no_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    load(None)


def test_a_missing_file_is_a_mistake(path: Path) -> None:
    assert mistakes(path) == [f"{path}: there is no such file"]


@pytest.mark.parametrize("content", [b"[kafka", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_a_mistake(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    (found,) = mistakes(path)
    assert found.startswith(f"{path}: not readable as TOML: ")


SLACK = '[[alerts.receivers]]\nname = "team"\ntype = "slack"\nchannel = "C1"\n[[alerts.routes]]\nreceiver = "team"\n'


def test_slack_needs_a_token(path: Path) -> None:
    path.write_text(SLACK)
    assert mistakes(path) == [
        f"{path}: slack: a receiver is of type slack, but slack.token (or SLACK_BOT_TOKEN) is empty"
    ]


def test_the_token_may_come_from_the_variable_of_every_slack_app(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(SLACK)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-common")
    assert load(path).slack.token.get_secret_value() == "xoxb-common"
    path.write_text(SLACK + '[slack]\ntoken = "xoxb-file"')
    assert load(path).slack.token.get_secret_value() == "xoxb-file"
    monkeypatch.setenv("TIDEGATE_SLACK__TOKEN", "xoxb-own")
    assert load(path).slack.token.get_secret_value() == "xoxb-own"


def test_routes_must_lead_somewhere(path: Path) -> None:
    path.write_text('[[alerts.routes]]\nreceiver = "nobody"')
    assert mistakes(path) == [f"{path}: alerts.routes: routes name receivers that do not exist: nobody"]


@pytest.mark.parametrize("strange", ["", "a:x", "a:1,,b:2", "kafka://a:9092", "a b", "a:1;b:2", "a:"])
def test_what_is_no_address_of_a_broker_is_a_mistake(strange: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_KAFKA__BOOTSTRAP", strange)
    (found,) = mistakes(None)
    assert "is no address of a broker: host:port" in found


@pytest.mark.parametrize("good", ["kafka", "a:1, b-2.example.org:2", "[::1]:9092", "10.0.0.1:65535,kafka_2:9"])
def test_brokers_are_named_by_host_and_port(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_KAFKA__BOOTSTRAP", good)
    assert load(None).kafka.bootstrap == good


@pytest.mark.parametrize("strange", ["my-proxy", "10.0.0.1/8", "300.1.1.1"])
def test_a_proxy_that_is_no_address_or_network_is_a_mistake(strange: str, path: Path) -> None:
    """And not a page that does not start, hours after the configuration was checked."""
    path.write_text(f'[page]\nproxy_from = ["{strange}"]')
    (found,) = mistakes(path)
    assert found.startswith(f"{path}: page.proxy_from: ") and strange in found


def test_sasl_needs_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
    (found,) = mistakes(None)
    assert "sasl_username is empty" in found


def secret(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every secret, one of them in each way."""
    password, key, token = SECRETS
    path.write_text(f'[kafka]\nsasl_password = "{password}"\n[events]\nhash_key = "{key}"\n')
    monkeypatch.setenv("SLACK_BOT_TOKEN", token)


def test_secrets_are_never_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret(path, monkeypatch)
    config = load(path)
    values = (config.kafka.sasl_password, config.events.hash_key, config.slack.token)
    assert tuple(value.get_secret_value() for value in values) == SECRETS
    shown = repr(config) + str(config) + str(config.model_dump()) + config.model_dump_json()
    assert not [word for word in SECRETS if word in shown]


def test_mistakes_never_repeat_a_value(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret(path, monkeypatch)
    path.write_text(
        path.read_text() + 'default_tenant = 5\nhash_keys = "s3cret-key"\n[slack]\ntoken = ["s3cret-token"]'
    )
    monkeypatch.setenv("TIDEGATE_BUDGETS", "s3cret-key")
    monkeypatch.setenv("TIDEGATE_KAFKA__PARTITIONS", "s3cret-password")
    found = "\n".join(mistakes(path))
    assert not [word for word in SECRETS if word in found]


def test_nothing_changes_after_the_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(None).windows.size_seconds = 5


def test_two_budgets_of_one_thing_and_period_are_a_mistake(path: Path) -> None:
    one = '[[budgets]]\ntenant = "acme"\nlimit = 5\n'
    path.write_text(one + one.replace("limit = 5", 'limit = 5\nperiod = "quarter"'))
    assert [budget.period for budget in load(path).budgets] == ["month", "quarter"]
    path.write_text(one + one.replace("5", "6"))
    assert mistakes(path) == [f"{path}: budgets: two budgets are for the same tenant, use_case, metric and period"]


def test_only_policies_for_budgets_name_a_line(path: Path) -> None:
    path.write_text('[[throttle.policies]]\nkind = "budget"\nline = "hard"\naction = "pause"')
    assert load(path).throttle.policies[0].line == "hard"
    path.write_text('[[throttle.policies]]\nkind = "loop"\nline = "hard"\naction = "pause"')
    assert mistakes(path) == [f"{path}: throttle.policies[0].line: only a policy for kind budget can name a line"]
