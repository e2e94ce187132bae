"""A plain Faust agent with a table that holds the open windows of each tenant.

Faust's own windowed table is left aside: it closes windows by the wall clock, and calls `on_window_close` for the
first tenants only (faust/tables/base.py compares with the last window closed of any key).
"""

from typing import Any

import faust

from benchmarks.contenders import job


def app_of(args: job.Args) -> Any:
    """Build the app: state in memory and in a changelog topic, at least once, as Faust comes."""
    app = faust.App(
        args.group,
        broker=f"kafka://{args.bootstrap}",
        store="memory://",
        topic_partitions=4,
        web_enabled=False,
        producer_linger=0.02,
        stream_buffer_maxsize=16_384,
        datadir=args.folder,
    )
    usage = app.topic(args.source, key_serializer="raw", value_serializer="raw")
    rollups = app.topic(args.sink, key_serializer="raw", value_serializer="raw")
    # Pickled, because JSON would give text back for the dollars after a restart.
    windows = app.Table("windows", schema=faust.Schema(key_type=str, value_serializer="pickle"))

    async def meter(stream: Any) -> None:
        async for value in stream:
            event = job.decode(value)
            mine = windows.get(event.tenant) or {}
            for closed in job.add(mine, event):
                await rollups.send(key=closed.tenant.encode(), value=job.encode(closed))
            windows[event.tenant] = mine

    app.agent(usage)(meter)
    return app


if __name__ == "__main__":
    faust.Worker(app_of(job.args()), loglevel="WARN").execute_from_commandline()
