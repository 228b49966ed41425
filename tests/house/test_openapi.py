"""The contract between server and pages is written down, and the types of the pages are made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import openapi


def test_the_written_contract_is_what_the_code_says() -> None:
    assert openapi.FILE.read_text("utf-8") == openapi.document(), "make openapi"


def test_the_check_fails_when_the_file_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = json.loads(openapi.FILE.read_text("utf-8"))
    del old["paths"]["/api/board"]
    monkeypatch.setattr(openapi, "FILE", tmp_path / "openapi.json")
    openapi.FILE.write_text(json.dumps(old), "utf-8")
    monkeypatch.setattr("sys.argv", ["openapi", "--check"])
    assert openapi.main() == 1
    assert "make openapi" in capsys.readouterr().out
