"""The HTTP front door: usage events in any accepted format, acknowledged when Kafka has them."""
