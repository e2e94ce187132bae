"""Who answers for an alert: the first rule that fits, a tag, or the default."""

from alerts.owners import Owner, OwnerRule, Owners
from tests.alerts.build import TRIAGE, alert

RULES = [
    OwnerRule(match={"tenant": "acme", "agent": "tri*"}, owner="triage-team", channel="C1", email="t@acme.example"),
    OwnerRule(match={"tenant": "acme"}, owner="acme-it", tags={"cost_centre": "cc-7"}),
    OwnerRule(match={"tenant": "globex"}, tags={"team": "search"}),
]
OWNERS = Owners(RULES, "finops", "team")


def owner(tenant: str, agent: str = "") -> str | None:
    return OWNERS.labels_of({"tenant": tenant, "agent": agent}).get("owner")


def test_the_first_rule_that_fits_names_the_owner() -> None:
    assert (owner("acme", "triage"), owner("acme", "writer")) == ("triage-team", "acme-it")


def test_a_tag_names_the_owner_where_a_rule_does_not() -> None:
    assert owner("globex") == "search"


def test_what_is_nobodys_is_the_defaults() -> None:
    assert owner("initech") == "finops"
    assert Owners().labels_of({"tenant": "initech"}) == {}


def test_an_alert_is_labelled_with_its_owner_and_tags() -> None:
    labelled = OWNERS.label(alert(labels={**TRIAGE, "agent": "writer"}))
    assert (labelled.labels["owner"], labelled.labels["tag:cost_centre"]) == ("acme-it", "cc-7")
    assert OWNERS.label(labelled) == labelled


def test_an_owner_is_found_with_how_to_reach_it() -> None:
    assert OWNERS.find("triage-team") == Owner("triage-team", "C1", "t@acme.example")
    assert OWNERS.find("finops") == Owner("finops")
    assert OWNERS.find("") is None
