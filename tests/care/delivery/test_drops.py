"""Files in a folder and over SFTP: whole or not there, in the organisation's own folder, to the server whose key was pinned."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from sqlalchemy import text

from heliograph.app.context import Context
from heliograph.care.delivery.drop import Files, drop
from heliograph.care.reading.pdf import report_pdf
from heliograph.kit.actor import system
from heliograph.kit.codecs.hl7 import parse
from heliograph.kit.settings import Settings
from heliograph.records.sites.errors import BadSite
from tests.care.delivery.help import alarms
from tests.care.delivery.sftp_server import Drop
from tests.care.delivery.ways import destination, secret, signed, tried
from tests.cast import Cast

FILES = Files((("HG1.pdf", b"%PDF"), ("HG1.hl7", b"MSH|")))


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    root = tmp_path / "drops"
    root.mkdir()
    return settings.model_copy(update={"drop_folder": root, "outgoing_networks": "127.0.0.0/8"})


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Drop]:
    (tmp_path / "sftp" / "in").mkdir(parents=True)
    found = Drop(tmp_path / "sftp")
    yield found
    found.stop()


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def _is_report(context: Context, cast: Cast, folder: Path, control_id: str) -> None:
    """The two files of a report, as the archive and the HL7 receiver would have it."""
    assert _names(folder) == [f"{control_id}.hl7", f"{control_id}.pdf"]
    with context.works.read(system("t", cast.norfjord)) as work:
        version = work.session.scalar(text("select id from reading.report_versions"))
        assert (folder / f"{control_id}.pdf").read_bytes() == report_pdf(work.session, version)
        kept = work.session.scalar(
            text("select payload from sites.messages where control_id = :c and direction = 'out'"), {"c": control_id}
        )
    message = (folder / f"{control_id}.hl7").read_bytes()
    assert message == kept
    assert parse(message, "UNICODE UTF-8").text("MSH-10") == control_id


def test_into_a_folder(context: Context, cast: Cast, owner_url: str) -> None:
    destination(context, cast, owner_url, "folder", {"folder": "reports/ct"})
    signed(context, cast)
    row, result = tried(context, cast, "folder")
    assert result is not None
    assert (result.outcome, row.state) == ("stored", "acknowledged")
    assert context.settings.drop_folder is not None
    _is_report(context, cast, context.settings.drop_folder / "norfjord" / "reports" / "ct", row.message_control_id)


def test_a_share_that_is_not_mounted_is_waited_for(context: Context, cast: Cast, owner_url: str) -> None:
    assert context.settings.drop_folder is not None
    context.settings.drop_folder.rmdir()
    destination(context, cast, owner_url, "folder", {"folder": "reports"})
    signed(context, cast)
    row, result = tried(context, cast, "folder")
    assert result is not None
    assert (result.outcome, row.state) == ("not_connected", "queued")
    assert not context.settings.drop_folder.exists()


@pytest.mark.parametrize("folder", ["", "/etc", "../other", "a/../../b", "a//b", ".hidden", "a/.ssh", "a\nb", "a/"])
def test_no_folder_leads_out(context: Context, cast: Cast, owner_url: str, folder: str) -> None:
    with pytest.raises(BadSite):
        destination(context, cast, owner_url, "folder", {"folder": folder})


def test_no_link_leads_out(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "norfjord").mkdir(parents=True)
    other.mkdir()
    (root / "norfjord" / "reports").symlink_to(other)
    assert drop(root, Path("norfjord/reports"), FILES).outcome == "refused_AR"
    assert _names(other) == []


def test_a_name_is_there_only_with_the_whole_of_it(tmp_path: Path) -> None:
    """A part that another try left does not hinder; a file that can't be written leaves no name."""
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / ".HG1.pdf.part").write_bytes(b"%P and more that was there")
    assert drop(tmp_path, Path("n"), FILES).outcome == "stored"
    assert (tmp_path / "n" / "HG1.pdf").read_bytes() == b"%PDF"
    (tmp_path / "n" / ".HG2.pdf.part").mkdir()
    assert drop(tmp_path, Path("n"), Files((("HG2.pdf", b"x"), ("HG2.hl7", b"y")))).outcome == "not_stored"
    assert _names(tmp_path / "n") == [".HG2.pdf.part", "HG1.hl7", "HG1.pdf"]


def test_without_a_root_there_is_no_drop() -> None:
    assert drop(None, Path("a"), FILES).outcome == "refused_AR"


def _sftp(context: Context, cast: Cast, owner_url: str, far: Drop, **more: object):
    told = {"user": "helio", "folder": "in", "host_key": far.fingerprint, **more}
    return destination(context, cast, owner_url, "sftp", told, host="127.0.0.1", port=far.port)


@pytest.mark.parametrize("renames", [True, False])
def test_over_sftp(context: Context, cast: Cast, owner_url: str, far: Drop, renames: bool) -> None:
    far.renames = renames
    endpoint = _sftp(context, cast, owner_url, far)
    secret(context, cast, endpoint, "password", "open sesame")
    signed(context, cast)
    row, result = tried(context, cast, "sftp")
    assert result is not None
    assert (result.outcome, row.state) == ("stored", "acknowledged"), result
    _is_report(context, cast, far.folder / "in", row.message_control_id)
    with context.works.begin(system("t", cast.norfjord)) as work:  # as if the answer had been lost
        work.session.execute(
            text(
                "update delivery.deliveries set state = 'queued', next_attempt_at = null, acknowledged_at = null where id = :i"
            ),
            {"i": row.id},
        )
        work.record("test", organization_id=cast.norfjord)
    row, _ = tried(context, cast, "sftp")
    _is_report(context, cast, far.folder / "in", row.message_control_id)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_by_a_private_key(context: Context, cast: Cast, owner_url: str, far: Drop, kind: str) -> None:
    far.key = paramiko.ECDSAKey.generate() if kind == "ecdsa" else paramiko.RSAKey.generate(2048)
    far.password = None
    told = io.StringIO()
    far.key.write_private_key(told)
    endpoint = _sftp(context, cast, owner_url, far)
    secret(context, cast, endpoint, "private_key", told.getvalue())
    signed(context, cast)
    row, result = tried(context, cast, "sftp")
    assert row.state == "acknowledged", result


def test_another_server_is_told_nothing(context: Context, cast: Cast, owner_url: str, far: Drop) -> None:
    endpoint = _sftp(context, cast, owner_url, far, host_key="SHA256:" + "A" * 43)
    secret(context, cast, endpoint, "password", "open sesame")
    signed(context, cast)
    row, result = tried(context, cast, "sftp")
    assert result is not None
    assert (result.outcome, row.state, row.hold_kind) == ("refused_AR", "held", "refused")
    assert far.signed_in == []
    assert any(kind == "delivery_failed" for kind, _ in alarms(context, cast))


def test_a_wrong_password_and_a_full_disk(context: Context, cast: Cast, owner_url: str, far: Drop) -> None:
    endpoint = _sftp(context, cast, owner_url, far)
    secret(context, cast, endpoint, "password", "wrong")
    signed(context, cast)
    row, result = tried(context, cast, "sftp")
    assert result is not None
    assert (result.outcome, row.last_error) == ("refused_AE", "The server refused our sign-in.")
    secret(context, cast, endpoint, "password", "open sesame")
    far.is_full = True
    with context.works.begin(system("t", cast.norfjord)) as work:
        work.session.execute(text("update delivery.deliveries set next_attempt_at = null where channel = 'sftp'"))
        work.record("test", organization_id=cast.norfjord)
    row, result = tried(context, cast, "sftp")
    assert result is not None
    assert (result.outcome, row.state) == ("not_stored", "queued")
    assert _names(far.folder / "in") == []


def test_nobody_there_and_our_own_network(context: Context, cast: Cast, owner_url: str, far: Drop) -> None:
    endpoint = _sftp(context, cast, owner_url, far)
    secret(context, cast, endpoint, "password", "open sesame")
    far.stop()
    signed(context, cast)
    row, result = tried(context, cast, "sftp")
    assert result is not None
    assert (result.outcome, row.state) == ("not_connected", "queued")
    context.settings.outgoing_networks = ""
    with context.works.begin(system("t", cast.norfjord)) as work:
        work.session.execute(text("update delivery.deliveries set next_attempt_at = null where channel = 'sftp'"))
        work.record("test", organization_id=cast.norfjord)
    row, result = tried(context, cast, "sftp")
    assert result is not None
    assert result.outcome == "refused_AR"


def test_a_host_key_is_needed(context: Context, cast: Cast, owner_url: str) -> None:
    for told in (
        {"user": "helio"},
        {"user": "helio", "host_key": "ssh-ed25519 AAAA"},
        {"user": "", "host_key": "SHA256:" + "A" * 43},
    ):
        with pytest.raises(BadSite):
            destination(context, cast, owner_url, "sftp", told, host="127.0.0.1", port=22)
