"""Hold the ways to reach a cluster, each one an implementation of `gateway.slurm.transport.Transport`."""
