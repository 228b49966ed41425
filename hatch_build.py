"""The wheel carries what a source tree builds or keeps elsewhere: web app, viewer, migrations.

An editable install reads all three from the source tree, so for it the hook has nothing to do.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Source path below the root -> place inside the wheel, and a file without which it is not whole.
CARRIED = {
    "migrations": ("heliograph/migrations", "env.py"),
    "src/heliograph/app/static/app": ("heliograph/app/static/app", "index.html"),
    "src/heliograph/app/static/viewer-extension": ("heliograph/app/static/viewer-extension", "heliograph.js"),
    "src/heliograph/app/static/viewer": ("heliograph/app/static/viewer", "index.html"),
}


class CarriedFiles(BuildHookInterface[Any]):
    """Adds the folders of CARRIED to a standard wheel, and refuses to make one without them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill `force_include`; `version` is hatchling's name of the build ("standard", "editable")."""
        if version == "editable":
            return
        root = Path(self.root)
        for source, (target, needed) in CARRIED.items():
            if not (root / source / needed).is_file():
                raise RuntimeError(f"{source}/{needed} is missing: run `make setup` before building a wheel")
            build_data["force_include"][str(root / source)] = target
