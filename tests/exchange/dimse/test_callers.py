"""Who may call: titles, and what a facility asks for besides: TLS, or one certificate."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from heliograph.app.cli.doctor import dicom_tls
from heliograph.app.context import Context
from heliograph.app.web.main import create_app
from heliograph.exchange.dimse import figures
from heliograph.exchange.dimse.doors import NoDoor
from heliograph.exchange.dimse.server import listening
from heliograph.kit.actor import Actor
from heliograph.kit.net.dicom import AssociationError, Rejected, StorageListener, pdu, verify
from heliograph.kit.net.dicom.tls import TlsFiles, client_context
from heliograph.kit.settings import PREFIX, Settings
from heliograph.records.sites import administer
from heliograph.records.sites.api import router
from heliograph.records.sites.errors import BadSite
from tests.cast import Cast
from tests.kit.net.dicom.certificates import Issued, issue
from tests.kit.net.dicom.peers import connect, eventually, read_pdu, request
from tests.records.sites.web import browser

WRONG = (1, 1, 3)


@pytest.fixture
def authority(tmp_path: Path) -> Issued:
    return issue(tmp_path, "authority", is_authority=True)


@pytest.fixture
def ours(tmp_path: Path, authority: Issued) -> Issued:
    return issue(tmp_path, "ours", authority)


def with_tls(settings: Settings, ours: Issued, authority: Issued, **more: Any) -> Settings:
    return settings.model_copy(
        update={
            "dimse_tls_port": 0,
            "dimse_tls_certificate_file": ours.certificate,
            "dimse_tls_key_file": ours.key,
            "dimse_tls_ca_file": authority.certificate,
            **more,
        }
    )


@contextmanager
def running(context: Context, settings: Settings) -> Iterator[StorageListener]:
    with listening(replace(context, settings=settings)) as listener:
        yield listener


def change(context: Context, actor: Actor, caller: Any, **values: Any) -> None:
    with context.works.begin(actor) as work:
        administer.change_caller(work, caller, values)


def call(port: int, tls: Any = None) -> tuple[int, int, int] | None:
    """None when it is accepted, else the fields of the rejection."""
    try:
        verify("127.0.0.1", port, called="HELIO_NF", calling="NF_CT1", tls=tls)
    except Rejected as rejected:
        return rejected.result, rejected.source, rejected.reason
    return None


def refusals(owner_url: str) -> list[tuple[str, dict[str, Any]]]:
    engine = create_engine(owner_url)
    with Session(engine) as s:
        rows = s.execute(
            text("select reason, detail from audit.events where action = 'caller.refused' order by id")
        ).all()
    engine.dispose()
    return [(r.reason, r.detail) for r in rows]


def test_a_facility_may_ask_for_tls_or_for_one_certificate(
    context: Context,
    cast: Cast,
    settings: Settings,
    owner_url: str,
    tmp_path: Path,
    authority: Issued,
    ours: Issued,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heliograph.exchange.dimse.callers.BELIEVED_SECONDS", -1.0)
    right, other = issue(tmp_path, "right", authority), issue(tmp_path, "other", authority)
    bare = client_context(TlsFiles(authorities=authority.certificate))
    as_right, as_other = (client_context(who.files(authority.certificate)) for who in (right, other))
    with running(context, with_tls(settings, ours, authority)) as listener:
        plain, tls = listener.port, listener.tls_port
        assert (call(plain), call(tls, bare), call(tls, as_other)) == (None, None, None)

        change(context, cast.astrid, cast.caller, tls_required=True)
        assert (call(plain), call(tls, bare), call(tls, as_other)) == (WRONG, None, None)

        colons = ":".join(right.sha256.upper()[n : n + 2] for n in range(0, 64, 2))  # as openssl prints it
        change(context, cast.astrid, cast.caller, tls_required=False, certificate_sha256=colons)
        assert (call(plain), call(tls, bare), call(tls, as_other)) == (WRONG, WRONG, WRONG)
        assert call(tls, as_right) is None

        change(context, cast.astrid, cast.caller, certificate_sha256=None)
        assert (call(plain), call(tls, bare)) == (None, None)
        eventually(lambda: len(refusals(owner_url)) >= 1)
    found = refusals(owner_url)  # one a minute for a caller
    assert [reason for reason, _ in found] == ["tls_required"]


def test_the_certificate_that_was_shown_is_on_record(
    context: Context, cast: Cast, settings: Settings, owner_url: str, tmp_path: Path, authority: Issued, ours: Issued
) -> None:
    right, other = issue(tmp_path, "right", authority), issue(tmp_path, "other", authority)
    change(context, cast.astrid, cast.caller, certificate_sha256=right.sha256)
    with running(context, with_tls(settings, ours, authority)) as listener:
        assert call(listener.tls_port, client_context(other.files(authority.certificate))) == WRONG
        eventually(lambda: len(refusals(owner_url)) == 1)
    expected = {"called_ae": "HELIO_NF", "calling_ae": "NF_CT1", "address": "127.0.0.1"}
    assert refusals(owner_url) == [("certificate", {**expected, "certificate_sha256": other.sha256})]


def test_an_administrator_keeps_them_by_the_api(context: Context, cast: Cast) -> None:
    client = browser(context, cast.astrid, router)
    where = f"/api/admin/callers/{cast.caller}"

    def kept() -> tuple[bool, str | None]:
        (row,) = [c for c in client.get("/api/admin/callers").json() if c["id"] == str(cast.caller)]
        return row["tls_required"], row["certificate_sha256"]

    assert kept() == (False, None)
    assert client.patch(where, json={"tls_required": True, "certificate_sha256": "AB:" * 31 + "AB"}).status_code == 204
    assert kept() == (True, "ab" * 32)
    assert client.patch(where, json={"certificate_sha256": "short"}).status_code == 422
    assert client.patch(where, json={"certificate_sha256": None, "tls_required": False}).status_code == 204
    assert kept() == (False, None)


def test_what_is_no_fingerprint_is_refused(context: Context, cast: Cast) -> None:
    for bad in ("abc", "g" * 64, "a" * 63, "a" * 65):
        with pytest.raises(BadSite):
            change(context, cast.astrid, cast.caller, certificate_sha256=bad)


def test_padding_means_nothing_case_does_and_the_log_has_the_bytes(
    context: Context, cast: Cast, settings: Settings, owner_url: str
) -> None:
    def ask(called: bytes, calling: bytes) -> tuple[int, bytes]:
        with connect(listener.port) as sock:
            sock.sendall(request(called, calling))
            kind, body = read_pdu(sock)
            return kind, body if kind == pdu.ASSOCIATE_RJ else b""

    accepted = (pdu.ASSOCIATE_AC, b"")
    with running(context, settings) as listener, capture_logs() as logged:
        assert ask(b"HELIO_NF".ljust(16), b"NF_CT1".ljust(16, b"\0")) == accepted
        assert ask(b"  HELIO_NF".ljust(16), b"\0 NF_CT1 \0".ljust(16)) == accepted
        assert ask(b"HELIO_NF".ljust(16), b"nf_ct1".ljust(16)) == (pdu.ASSOCIATE_RJ, b"\0\1\1\3")
        assert ask(b"HELIO_NF".ljust(16), b" " * 16) == (pdu.ASSOCIATE_RJ, b"\0\1\1\3")
        assert ask(b"\0" * 16, b"NF_CT1".ljust(16)) == (pdu.ASSOCIATE_RJ, b"\0\1\1\7")
        assert ask(b"HELIO_NF".ljust(16), b"NF\n\x1b[31m\xff".ljust(16)) == (pdu.ASSOCIATE_RJ, b"\0\1\1\3")
        eventually(lambda: len(refusals(owner_url)) == 4)
    lines = [entry for entry in logged if entry["event"] == "a DICOM caller was rejected"]
    assert {(line["called"], line["calling"]) for line in lines} == {
        ("HELIO_NF        ", "nf_ct1          "),
        ("HELIO_NF        ", " " * 16),
        ("\\x00" * 16, "NF_CT1          "),
        ("HELIO_NF        ", "NF\\n\\x1b[31m\\xff       "),
    }
    assert {(reason, detail["called_ae"], detail["calling_ae"]) for reason, detail in refusals(owner_url)} == {
        ("calling_not_recognised", "HELIO_NF", "nf_ct1"),
        ("calling_not_recognised", "HELIO_NF", ""),
        ("called_not_recognised", "", "NF_CT1"),
        ("calling_not_recognised", "HELIO_NF", "NF\n\x1b[31m\ufffd"),
    }


def test_an_address_that_guesses_is_one_line_on_record(
    context: Context, cast: Cast, settings: Settings, owner_url: str
) -> None:
    with running(context, settings.model_copy(update={"dimse_refused_per_minute": 2})) as listener:
        for n in range(6):
            with pytest.raises(Rejected):
                verify("127.0.0.1", listener.port, called="HELIO_NF", calling=f"GUESS{n}")
        eventually(lambda: listener.gate.figures().refused["too_often"] == 4)
        eventually(lambda: len(refusals(owner_url)) == 3)
    assert sorted((reason, detail["calling_ae"]) for reason, detail in refusals(owner_url)) == [
        ("calling_not_recognised", "GUESS0"),
        ("calling_not_recognised", "GUESS1"),
        ("too_often", ""),
    ]


def test_the_settings_say_which_ports_and_bounds(
    context: Context, cast: Cast, settings: Settings, authority: Issued, ours: Issued
) -> None:
    only_tls = with_tls(
        settings, ours, authority, dimse_plain=False, dimse_tls_clients="required", dimse_associations_per_address=1
    )
    bare = client_context(TlsFiles(authorities=authority.certificate))
    with running(context, only_tls) as listener:
        assert listener.port == 0
        assert listener.limits.associations_per_address == 1
        with pytest.raises(AssociationError):
            verify("127.0.0.1", listener.tls_port, called="HELIO_NF", calling="NF_CT1", tls=bare)
        assert call(listener.tls_port, client_context(ours.files(authority.certificate))) is None
    with pytest.raises(NoDoor), running(context, settings.model_copy(update={"dimse_plain": False})):
        pass


def test_serve_says_at_once_that_no_port_is_on(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    environment |= {f"{PREFIX}DATA_DIR": str(tmp_path), f"{PREFIX}DIMSE_PLAIN": "false"}
    for only in ((), ("--only", "dimse", "--only", "web")):
        done = subprocess.run(
            [sys.executable, "-m", "heliograph.app.cli", "serve", *only],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=60,
        )
        assert done.returncode == 1
        assert "HELIOGRAPH_DIMSE_PLAIN" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_certificate_that_is_gone_does_not_keep_the_plain_port_shut(
    context: Context, cast: Cast, settings: Settings, tmp_path: Path, authority: Issued, ours: Issued
) -> None:
    broken = with_tls(settings, ours, authority, dimse_tls_certificate_file=tmp_path / "gone.pem")
    with capture_logs() as logged, running(context, broken) as listener:
        assert call(listener.port) is None
    assert [entry["log_level"] for entry in logged if "gone.pem" in str(entry)] == ["error"]


def test_the_figures_are_in_metrics(
    context: Context,
    cast: Cast,
    settings: Settings,
    authority: Issued,
    ours: Issued,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "WRITE_EVERY_SECONDS", 0.05)
    client = TestClient(create_app(context))
    with running(context, with_tls(settings, ours, authority)) as listener:
        assert call(listener.port) is None
        with pytest.raises(Rejected):
            verify("127.0.0.1", listener.port, called="HELIO_NF", calling="STRANGER")

        def shown() -> str:
            return client.get("/metrics").text

        eventually(lambda: 'heliograph_dicom_refused_total{reason="calling_not_recognised"} 1.0' in shown())
        eventually(lambda: 'heliograph_dicom_ended_total{how="released"} 1.0' in shown())
        page = shown()
        for line in (
            "heliograph_dicom_associations 0.0",
            "heliograph_dicom_accepted_total 1.0",
            'heliograph_dicom_objects_total{result="stored"} 0.0',
        ):
            assert line in page
        assert "STRANGER" not in page
        (ends,) = [x for x in page.splitlines() if x.startswith("heliograph_dicom_certificate_expires_seconds ")]
        assert float(ends.split()[1]) > 1.7e9
    assert "heliograph_dicom" not in client.get("/metrics").text


@pytest.mark.parametrize(
    ("case", "level", "says"),
    [
        ("off", "fine", "off"),
        ("nothing is on", "wrong", "nobody can send images"),
        ("good", "fine", "port 0, valid until"),
        ("soon", "care", "expires in 10 days"),
        ("expired", "wrong", "expired on"),
        ("missing", "wrong", "none.pem can't be read"),
        ("another's key", "wrong", "the key is another certificate's"),
        ("required without authorities", "wrong", "no file names the authorities"),
        ("key for everybody", "care", "can be read by every user"),
    ],
)
def test_the_doctor_sees_the_certificate(
    settings: Settings, tmp_path: Path, authority: Issued, ours: Issued, case: str, level: str, says: str
) -> None:
    if case == "key for everybody":
        ours.key.chmod(0o644)
    changed = {
        "nothing is on": settings.model_copy(update={"dimse_plain": False}),
        "off": settings,
        "soon": with_tls(settings, issue(tmp_path, "soon", authority, days=10.5), authority),
        "expired": with_tls(settings, issue(tmp_path, "expired", authority, days=-1), authority),
        "missing": with_tls(settings, ours, authority, dimse_tls_certificate_file=tmp_path / "none.pem"),
        "another's key": with_tls(settings, ours, authority, dimse_tls_key_file=authority.key),
        "required without authorities": with_tls(
            settings, ours, authority, dimse_tls_ca_file=None, dimse_tls_clients="required"
        ),
    }.get(case, with_tls(settings, ours, authority))
    found = list(dicom_tls(changed))
    assert any(f.level == level and says in f.text for f in found), found
    if case != "key for everybody":
        assert [f.level for f in found] == [level]
    assert all(f.mend or f.level == "fine" for f in found)
