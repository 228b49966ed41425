"""Writes web/openapi.json: the contract from which the web app's types are made (`npm run openapi` in web/).

python -m tools.openapi [--check]    --check: exit 1 where the file is not what the code says
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fastapi import FastAPI

from heliograph.app.web.main import add_routes

FILE = Path(__file__).resolve().parents[1] / "web" / "openapi.json"


def document() -> str:
    """The OpenAPI document of all routes, as text."""
    app = FastAPI(title="Heliograph", version="1")
    add_routes(app)
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    text = document()
    if "--check" in sys.argv:
        if not FILE.exists() or FILE.read_text("utf-8") != text:
            print("web/openapi.json is out of date: make openapi")
            return 1
        return 0
    FILE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
