"""Drive jobs: decide purely, act under a lease, watch one collector per cluster."""
