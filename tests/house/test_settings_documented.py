"""Every setting is documented, may come from a file, and says clearly when it can't be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliograph.app.cli import cli
from heliograph.kit.settings import PREFIX, Settings
from tools.settings_table import PAGE, page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine that runs the tests."""
    import os

    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HELIOGRAPH_DATA_DIR", str(tmp_path / "data"))


def test_the_page_is_what_the_settings_are() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python tools/settings_table.py"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_is_described(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert len(description) > 10
    assert description.endswith(".")
    assert f"`{PREFIX}{name.upper()}`" in PAGE.read_text("utf-8")


def test_no_text_names_a_setting_that_does_not_exist() -> None:
    known = {f"{PREFIX}{n.upper()}{suffix}" for n in Settings.model_fields for suffix in ("", "_FILE")}
    texts = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("src/heliograph/**/*.py")]
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in texts
        for name in re.findall(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b(?![*<])", path.read_text("utf-8"))
    }
    ours = {"HELIOGRAPH_SUPERVISOR_PID"}  # what the supervisor tells its children; nobody sets it
    assert {(path, name) for path, name in named if name not in known | ours} == set()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_is_used(name: str) -> None:
    """A setting that nothing reads is a promise that nobody keeps."""
    uses = re.compile(rf"(settings|self)\.{name}\b")
    assert any(uses.search(path.read_text("utf-8")) for path in ROOT.glob("src/heliograph/**/*.py"))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_may_come_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "database_url": "postgresql+psycopg://a@b/c", "database_owner_url": "postgresql+psycopg://o@b/c", "log_level": "DEBUG",
        "log_format": "json", "demonstration": "true", "public_url": "https://read.example",
        "dimse_plain": "true", "dimse_tls_clients": "required", "hl7_plain": "true", "hl7_tls_clients": "required", "smtp_tls": "tls",
    }  # fmt: skip
    value = values.get(name, "7")
    file = tmp_path / "value"
    file.write_text(f"  {value}\n", "utf-8")
    monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.setenv(f"{PREFIX}{name.upper()}_FILE", str(file))
    found = getattr(Settings(), name)
    text = str(found.get_secret_value() if hasattr(found, "get_secret_value") else found)
    assert text.lower().removesuffix(".0") == value.lower()


def test_a_file_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "port").write_text("8181\n")
    monkeypatch.setenv("HELIOGRAPH_HTTP_PORT", "8282")
    monkeypatch.setenv("HELIOGRAPH_HTTP_PORT_FILE", str(tmp_path / "port"))
    assert Settings().http_port == 8181


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HELIOGRAPH_HTTP_PORT", "eighty", "valid integer"),
        ("HELIOGRAPH_HTTP_PORT", "70000", "less than or equal to 65535"),
        ("HELIOGRAPH_LOG_FORMAT", "xml", "pattern"),
        ("HELIOGRAPH_LOG_LEVEL", "LOUD", "pattern"),
        ("HELIOGRAPH_DEMONSTRATION", "perhaps", "valid boolean"),
        ("HELIOGRAPH_QUIET_SECONDS", "0", "greater than or equal to 1"),
    ],
)
@pytest.mark.parametrize("command", ["doctor", "migrate"])
def test_a_bad_value_is_named(name: str, value: str, says: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    done = CliRunner().invoke(cli, [command])
    assert done.exit_code == 1
    assert f"{name}: " in done.output
    assert says in done.output
    assert "Traceback" not in done.output


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HELIOGRAPH_DATABASE_URL_FILE", str(tmp_path / "absent"))
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 1
    assert "HELIOGRAPH_DATABASE_URL_FILE" in done.output
    assert "No such file" in done.output


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOGRAPH_DATABASE_URL", "postgresql+psycopg://a:hunter2@b/c")
    assert "hunter2" not in repr(Settings())
