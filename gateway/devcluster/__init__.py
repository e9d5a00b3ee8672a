"""Run a real Slurm cluster on one machine, for the demo and for the tests."""
