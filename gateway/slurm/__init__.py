"""Speak with Slurm: build its commands, read its answers, and reach it by one of several transports."""
