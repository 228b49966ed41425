"""Writes docs/reference/settings.md from the one class of settings. A test fails when the two differ."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from heliograph.kit.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "settings.md"
_FROM_FUNCTION = {"data_dir": "`/var/lib/heliograph` for root, else `.heliograph` in the current folder"}
_INTRO = f"""# Settings

Settings are environment variables. Each may also come from a file: `{PREFIX}<NAME>_FILE` names a file whose content, without white space
at its ends, is the value. Use that for secrets. The file goes before the variable. `heliograph doctor` says what is wrong with them.

This page is made by `python tools/settings_table.py`.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = []
    for name, field in Settings.model_fields.items():
        if name in _FROM_FUNCTION:
            default = _FROM_FUNCTION[name]
        elif field.default is PydanticUndefined:
            raise ValueError(f"{name} has no default to show")
        else:
            default = (
                ""
                if field.default is None
                else f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"
            )
        if not field.description:
            raise ValueError(f"{name} has no description")
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description.replace('|', chr(92) + '|')} |\n")
    return _INTRO + "".join(rows)


def main() -> int:
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
