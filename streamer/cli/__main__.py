"""Run the command line by `python -m streamer.cli`."""

from streamer.cli import main

main()
