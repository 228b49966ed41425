"""Killed while objects come in that must be held: each that was answered is held once, byte for byte, and the first stay as they were."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pydicom
import pytest

from heliograph.app.demo.once import digest
from heliograph.kit.net.dicom import AssociationError, SendResult, send_files
from tests.crash.scene import Scene, Study, moment, uid_of
from tools.running import Victim

pytestmark = pytest.mark.xdist_group("crash")
NUMBER = 60
HELD = 0xB000
Door = Literal["C-STORE", "STOW"]


def altered(study: Study) -> Study:
    """The same objects by their UIDs, with other pixels."""
    folder = study.files[0].parent / "altered"
    folder.mkdir()
    digests = {}
    for path in study.files:
        ds = pydicom.dcmread(path)
        ds.PixelData = bytes(byte ^ 0xFF for byte in ds.PixelData)
        ds.save_as(folder / path.name, enforce_file_format=True)
        digests[folder / path.name] = digest((folder / path.name).read_bytes())
    return replace(study, files=tuple(digests), digests=digests)


def sent(scene: Scene, study: Study, files: list[Path]) -> list[Path]:
    """Sends by C-STORE; the files that were answered as held, or, while nobody could be asked, as stored."""
    taken: list[Path] = []

    def note(result: SendResult) -> None:
        if result.status in (0, HELD):
            taken.append(result.path)

    settings, site = scene.platform.settings, study.case.site
    with suppress(AssociationError):
        send_files(
            settings.dimse_host, settings.dimse_port, called=site.called_ae, calling=site.calling_ae, files=files,
            on_progress=note,
        )  # fmt: skip
    return taken


def killed_while_held(scene: Scene, victim: Victim, door: Door, most: float = 1.0) -> None:
    """Sends what must be held, kills at a random moment, brings back, sends the rest again, and looks."""
    first = scene.study(NUMBER)
    assert len(scene.send(first)) == NUMBER
    scene.wait_archived(first, first.files)
    other = altered(first)
    answered: list[Path] = []

    def send(files: list[Path]) -> list[Path]:
        return sent(scene, other, files) if door == "C-STORE" else scene.store(other, files)

    sending = threading.Thread(target=lambda: answered.extend(send(list(other.files))))
    sending.start()
    time.sleep(moment(most))
    scene.kill(victim)
    sending.join(60)
    assert not sending.is_alive()
    scene.bring_back()
    wait_held(scene, other, answered)
    rest = [path for path in other.files if path not in answered]
    assert sorted(send(rest)) == rest
    wait_held(scene, other, list(other.files))
    assert sorted(scene.in_archive(first)) == sorted(first.digests.values()), "the first stay as they were"


def wait_held(scene: Scene, study: Study, files: list[Path]) -> None:
    """Each of `files` is held, none twice, and its bytes are among the objects."""
    wanted = {uid_of(path): study.digests[path] for path in files}
    found: list[tuple[str, bytes, str]] = []

    def there() -> bool:
        found[:] = scene.rows(
            "select sop_instance_uid, sha256, object_key from archive.held_objects where study_instance_uid = %s",
            study.uid,
        )
        return wanted.keys() <= {uid for uid, _, _ in found}

    scene.until(there, 60, f"the {len(wanted)} objects that were answered are held")
    assert len({uid for uid, _, _ in found}) == len(found), "none is held twice"
    for uid, sha256, key in found:
        if uid in wanted:
            content = (scene.platform.folder / "objects" / key).read_bytes()
            assert bytes(sha256) == digest(content) == wanted[uid]


def test_the_worker_is_killed_while_it_holds(scene: Scene) -> None:
    killed_while_held(scene, "worker", "C-STORE")


def test_the_web_server_is_killed_while_it_answers(scene: Scene) -> None:
    killed_while_held(scene, "web", "STOW")


@pytest.mark.soak
@pytest.mark.parametrize("door", ["C-STORE", "STOW"])
@pytest.mark.parametrize("victim", ["web", "dimse", "worker", "supervisor", "postgres", "everything but postgres"])
def test_killed_at_random_moments(scene: Scene, victim: Victim, door: Door) -> None:
    for _ in range(4):
        killed_while_held(scene, victim, door, 2.0)
    scene.assert_record_whole()
