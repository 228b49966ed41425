"""Ctrl-C: everything ends in time, and nothing is left."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.crash.scene import Scene

pytestmark = pytest.mark.xdist_group("crash")


def test_ctrl_c_leaves_nothing(scene: Scene) -> None:
    platform = scene.platform
    assert len(platform.processes()) > 6
    begun = time.monotonic()
    assert platform.stop(signal.SIGINT, timeout=20) == 0
    assert time.monotonic() - begun < 10
    assert platform.processes() == []
    for port in platform.ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    platform.start()
    platform.wait_ready()
    scene.assert_record_whole()
