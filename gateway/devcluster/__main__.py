"""Run the dev cluster without the rest of the gateway: `python -m gateway.devcluster up`."""

import argparse
import sys

from gateway.devcluster import console

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m gateway.devcluster", description=console.__doc__)
    console.add_arguments(parser)
    sys.exit(console.run(parser.parse_args()))
