"""From anomalies to people and gateways: routing, grouping, notification log, Slack, throttle commands.

Pure but for its clients: `now` (epoch seconds) is an argument, and nothing here knows Kafka or the detectors.
"""
