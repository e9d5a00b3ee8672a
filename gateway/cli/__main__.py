"""Be `python -m gateway.cli`: the same as the console script."""

from gateway.cli.main import raw_main

raw_main()
