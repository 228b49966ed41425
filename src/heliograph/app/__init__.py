"""Entry points and wiring only: web, worker, command line, demonstration. Nothing imports this package."""

PARTS = ("web", "dimse", "hl7", "worker")
"""The parts of a running Heliograph: each is one process and can run alone on any host."""
