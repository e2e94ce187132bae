"""The three stages of the worker: raw records become usage events, usage becomes anomalies, anomalies become alerts."""

from streamer.kafka.stages.alert import AlertStage
from streamer.kafka.stages.meter import MeterStage
from streamer.kafka.stages.normalise import NormaliseStage

__all__ = ["AlertStage", "MeterStage", "NormaliseStage"]
