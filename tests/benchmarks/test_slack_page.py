"""The pictures of docs/slack.md show what would be sent: blocks that are known, within Slack's limits."""

from alerts.notification import Notification
from alerts.slack.render import message
from alerts.slack.showback import report_message
from benchmarks.slack import scenes
from benchmarks.slack.__main__ import pages
from tests.slack.limits import problems_of


def test_every_page_is_made_of_known_blocks() -> None:
    for _, html in pages().values():
        assert html.count("Tidegate") >= 1 or html.count("modal") > 1
        assert "<!date" not in html


def test_what_is_shown_is_what_slack_takes() -> None:
    for told, past in (scenes.loop(), scenes.burst(), scenes.budget(), scenes.storm()):
        _, blocks = message(Notification(told, told.receiver, "new", None), past, "F1")
        assert problems_of(blocks) == []
    assert problems_of(report_message(scenes.showback())[1]) == []
