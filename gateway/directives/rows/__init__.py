"""The table of options, as data: one row, one option."""
