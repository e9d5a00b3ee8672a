"""Turn the text of an option into a value, by sbatch's rules, and back into canonical text."""
