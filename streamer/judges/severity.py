"""How severe an anomaly is: what it costs an hour, and how sure the detector is where that is little."""

from decimal import Decimal

from streamer.config import SeverityConfig
from streamer.records import Severity


def severity_of(usd_per_hour: Decimal, score: float, steps: SeverityConfig) -> Severity:
    """Rank an anomaly.

    >>> severity_of(Decimal(12), 0.95, SeverityConfig()), severity_of(Decimal(12), 0.7, SeverityConfig())
    ('critical', 'warning')
    """
    sure = usd_per_hour >= steps.critical_sure_usd_per_hour and score >= steps.critical_score
    if sure or usd_per_hour >= steps.critical_usd_per_hour:
        return "critical"
    return "warning" if usd_per_hour >= steps.warning_usd_per_hour or score >= steps.warning_score else "info"
