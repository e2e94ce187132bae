"""Bytewax: a fold over tumbling windows by event time, with snapshots for recovery every ten seconds, its default."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import bytewax.operators as op
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.recovery import RecoveryConfig, init_db_dir

from benchmarks.contenders import job

Total = tuple[int, Decimal]
_ALIGN = datetime(2020, 1, 1, tzinfo=UTC)
# Twice the lateness of the others: its watermark also moves with the wall clock, so that events become late where
# the machine is held up for longer.
_WAIT = timedelta(seconds=2 * job.LATENESS)


def _keyed(message: Any) -> tuple[str, job.Usage]:
    usage = job.decode(message.value)
    return usage.tenant, usage


def _fold(total: Total, usage: job.Usage) -> Total:
    return total[0] + usage.tokens, total[1] + usage.cost_usd


def _merge(one: Total, other: Total) -> Total:
    return one[0] + other[0], one[1] + other[1]


def _written(item: tuple[str, tuple[int, Total]]) -> Any:
    tenant, (window, total) = item
    start = _ALIGN.timestamp() + window * job.SIZE
    return KafkaSinkMessage(tenant.encode(), job.encode(job.Closed(tenant, start, *total)))


def flow_of(args: job.Args) -> Any:
    """Build the dataflow."""
    flow = Dataflow("usage")
    source = KafkaSource([args.bootstrap], [args.source])
    keyed = op.map("decode", op.input("usage", flow, source), _keyed)
    windows = windowing.fold_window(
        "windows",
        keyed,
        windowing.EventClock(lambda usage: usage.time, _WAIT),
        windowing.TumblingWindower(timedelta(seconds=job.SIZE), _ALIGN),
        lambda: (0, Decimal(0)),
        _fold,
        _merge,
        ordered=False,  # sums need no order, and keeping it costs a queue
    )
    written = op.map("encode", windows.down, _written)
    op.output("rollups", written, KafkaSink([args.bootstrap], args.sink))
    return flow


def main() -> None:
    """Run for ever in one worker."""
    args = job.args()
    init_db_dir(args.folder, 1)
    cli_main(flow_of(args), epoch_interval=timedelta(seconds=10), recovery_config=RecoveryConfig(args.folder))


if __name__ == "__main__":
    main()
