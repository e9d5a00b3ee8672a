#!/bin/bash
# Run once, on the first node of the allocation.
exec -- ./heat --size 4096
