"""What a person sees on the console."""

from decimal import Decimal
from io import StringIO

from alerts.alert import Label
from alerts.console import ConsoleReceiver
from alerts.showback import Report, Row
from tests.alerts.build import alert, incident, notification

OPEN = """\
🔴 acme · support · triage spends far above its usual rate
   since 2026-11-22 10:00:00 UTC · $12.40 above normal so far, $18.20 an hour if nobody acts
   acme · support · triage: 847 calls a minute, 20 are usual
   acme · support: 120 requests a minute, 20 are usual
   told gateways to pause tenant=acme/use_case=support/agent=triage until 10:15:00 UTC
   incident 4e8f1c, told because new
"""
OVER = """\
🟢 acme · support · triage is back to normal
   since 2026-11-22 10:00:00 until 2026-11-22 10:05:00 UTC · $1.50 above normal in all
   acme · support · triage: 120 requests a minute, 20 are usual
   incident 4e8f1c, told because resolved
"""


async def test_an_incident_is_a_block_of_lines() -> None:
    stream = StringIO()
    found = incident(
        alert("agent", severity="critical", usd="12.40", reason="847 calls a minute, 20 are usual"),
        alert("use case", labels={"tenant": "acme", "use_case": "support", "kind": "burst"}),
    )
    found.note("told gateways to pause tenant=acme/use_case=support/agent=triage until 10:15:00 UTC")
    assert await ConsoleReceiver(stream).send(notification(found)) == "4e8f1c"
    assert stream.getvalue() == OPEN


async def test_the_end_of_an_incident_is_a_block_of_lines() -> None:
    stream = StringIO()
    found = incident(alert(), alert(state="closed", after=300))
    await ConsoleReceiver(stream).send(notification(found, "resolved", "4e8f1c"))
    assert stream.getvalue() == OVER


async def test_a_hostile_name_stays_in_its_line() -> None:
    stream = StringIO()
    labels: dict[Label, str] = {"tenant": "acme\n🟢 all is well\x1b[2J", "kind": "burst"}
    await ConsoleReceiver(stream).send(notification(incident(alert(labels=labels, reason="a\rb\u202ec"))))
    assert stream.getvalue().count("\n") == 4
    assert not {"\x1b", "\r", "\u202e"} & set(stream.getvalue())


async def test_no_name_forges_a_line_of_a_showback() -> None:
    nothing = Row("", Decimal(0), Decimal(0))
    named = "acme\n🔴 other\x1b[2J"
    report = Report(
        whose=named,
        span="day",
        when="on Sunday",
        dates="2026-11-22",
        total=nothing,
        kinds=[],
        use_cases=[Row(named, Decimal(1), Decimal(0))],
        agents=[],
        budgets=[named],
        causes=[named],
    )
    stream = StringIO()
    await ConsoleReceiver(stream).report(report)
    assert "\x1b" not in stream.getvalue()
    assert not any(line.startswith("🔴") for line in stream.getvalue().splitlines())
