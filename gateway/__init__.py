"""Stand in front of Slurm for many tenants. The map is in README.md; a job's journey starts in `cli/sbatch.py`."""
