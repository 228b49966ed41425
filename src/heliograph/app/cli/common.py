"""What all commands share."""

from __future__ import annotations

import click

from heliograph.kit.settings import Settings


def settings_or_exit() -> Settings:
    """The settings, or in words what is wrong with them."""
    from pydantic import ValidationError

    try:
        return Settings()
    except ValidationError as error:
        lines = [f"HELIOGRAPH_{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        raise click.ClickException("\n".join(["Settings can't be used:", *lines])) from error
