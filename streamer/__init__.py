"""Tidegate's service: usage events in, anomalies, Slack messages and throttle commands out.

The only package that puts ``detectors`` and ``alerts`` together.
"""
