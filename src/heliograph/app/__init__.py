"""Entry points and wiring only: web, worker, command line, demonstration. Nothing imports this package."""
