"""Run the gateway's processes on one machine, and prepare its database."""
