"""`python -m heliograph.app.cli`."""

from heliograph.app.cli import main

main()
