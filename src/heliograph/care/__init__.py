"""The work itself, from order to delivered report."""
