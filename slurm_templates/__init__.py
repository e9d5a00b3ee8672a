"""Turn a described run into the text of a Slurm batch script. Knows runtimes and parameters, never tenants or jobs."""
