"""What a tenant's watch knows is bounded, survives a restart to the byte, and is no other tenant's business."""

from streamer.config import Config, DetectConfig
from streamer.pipeline import Pipeline
from tests.streamer.samples import event, submit

FEW = Config(detect=DetectConfig(max_series=10))


def test_what_is_known_of_a_tenant_that_invents_names_is_bounded_in_every_part() -> None:
    """To the notes of which use cases have agents: they are kept with the tenant, which is written at every change."""
    pipeline, parts, sizes = Pipeline(FEW), dict[str, bytes | None](), list[int]()
    for number in range(600):
        submit(pipeline, [event(number, 10 * number, use_case=f"use-case-{number}", agent="g")])
        if number in (299, 599):
            parts |= dict(pipeline.changes())
            sizes.append(len(parts["tenant/acme"] or b""))
    assert sizes[1] < sizes[0] + 100
    kept = [key for key, part in parts.items() if part is not None and key.startswith("models/")]
    assert len(kept) <= 10
