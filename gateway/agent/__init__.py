"""Run inside the allocation, on the node: standard library only, Python 3.6 and later. See README.md."""
