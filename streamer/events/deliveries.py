"""Envelopes in which AWS delivers records of any format: Firehose's to an HTTP endpoint, CloudWatch's to a function."""

from collections.abc import Mapping, Sequence
from typing import Any


def records_of(whole: Any) -> Sequence[str]:
    """Give the records of a delivery, each in base64 and perhaps packed; none where `whole` is no delivery.

    >>> records_of({"requestId": "r", "timestamp": 1, "records": [{"data": "e30="}]})
    ['e30=']
    """
    if not isinstance(whole, Mapping):
        return ()
    if isinstance(logs := whole.get("awslogs"), Mapping) and isinstance(log := logs.get("data"), str):
        return (log,)
    records = whole.get("records")
    if "requestId" not in whole or not isinstance(records, list):
        return ()
    found = [record.get("data") if isinstance(record, Mapping) else None for record in records]
    data = [one for one in found if isinstance(one, str)]
    return data if len(data) == len(records) else ()
