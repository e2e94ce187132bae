"""Where a format says who used what: documented, and configured."""

from pathlib import Path

import orjson
import pytest

from streamer.config import Config
from streamer.errors import ConfigInvalid
from streamer.events.formats import FORMATS
from streamer.events.formats.base import Format
from streamer.events.usage import UsageEvent
from streamer.settings import load
from streamer.wiring import decoder_of
from tests.streamer.samples import NOW

PAGE = (Path(__file__).parents[4] / "docs" / "formats.md").read_text(encoding="utf-8")
ROW = {"ChargePeriodStart": "2026-11-20", "BilledCost": "2", "EffectiveCost": "1", "SubAccountName": "research"}


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_the_page_has_the_names_of_each_format(known: Format) -> None:
    section = PAGE.partition(f"(`{known.name}`)")[2].partition("\n## ")[0]
    for field in known.names.__struct_fields__:
        names = ", ".join(f"`{name}`" for name in getattr(known.names, field))
        assert not names or f"| `{field}` | {names} |" in section


def event(config: Config) -> UsageEvent:
    (item,) = decoder_of(config).decode(orjson.dumps({**ROW, "Tags": '{"team": "blue"}'}), NOW)
    assert isinstance(item, UsageEvent)
    return item


def test_configured_names_stand_in_place_of_the_formats_own(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('[events.mapping.focus]\ntenant = ["Tags.team"]\ncost = ["EffectiveCost"]\n')
    usual, configured = event(Config()), event(load(tmp_path / "t.toml"))
    assert (usual.tenant, usual.cost_usd) == ("research", 2)
    assert (configured.tenant, configured.cost_usd, configured.tags) == ("blue", 1, usual.tags)


@pytest.mark.parametrize(
    "text",
    [
        '[events.mapping.carrier-pigeon]\ntenant = ["x"]',
        "[events.mapping.otel]\nowner = []",
        '[events.mapping.otel]\ntenant = [""]',
    ],
)
def test_a_mistake_in_the_mapping_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(ConfigInvalid, match="mapping"):
        load(tmp_path / "t.toml")


def test_a_name_leads_into_json_in_text_and_the_first_that_is_there_wins() -> None:
    config = Config.model_validate(
        {"events": {"mapping": {"focus": {"tenant": ["x_Meta.owner.id", "SubAccountName"]}}}}
    )
    row = {**ROW, "x_Meta": '{"owner": {"id": 7}}'}
    tenants = [item.tenant for line in (row, ROW) for item in decoder_of(config).decode(orjson.dumps(line), NOW)]  # type: ignore[union-attr]
    assert tenants == ["7", "research"]
