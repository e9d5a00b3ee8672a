"""Show the gateway at work on one machine: a dev cluster, two tenants, an MPI program on four nodes."""
