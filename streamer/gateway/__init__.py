"""A gateway's side: reads the throttle topic, decides on requests, acknowledges, and sends usage."""
