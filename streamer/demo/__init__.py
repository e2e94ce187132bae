"""The demo: broker, traffic, a gateway and a screen, in one command."""
