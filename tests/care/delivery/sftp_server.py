"""An SFTP server on loopback that keeps files below a folder (paramiko's server half)."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from paramiko import SFTPAttributes, SFTPHandle, SFTPServer, SFTPServerInterface

from heliograph.care.delivery.sftp import fingerprint


@dataclass
class Drop:
    """The server. `password` and `key`: what it takes from the user `helio`; `renames`: whether it knows OpenSSH's posix-rename."""

    folder: Path
    password: str | None = "open sesame"
    key: paramiko.PKey | None = None
    renames: bool = True
    is_full: bool = False
    host_key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.1)
        self.port = self._listening.getsockname()[1]
        self.signed_in: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.host_key)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5)
        self._listening.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.host_key)
            transport.set_subsystem_handler("sftp", SFTPServer, _Files, self)
            try:
                transport.start_server(server=_Door(self))
            except (paramiko.SSHException, EOFError, OSError):
                transport.close()


class _Door(paramiko.ServerInterface):
    def __init__(self, drop: Drop) -> None:
        self.drop = drop

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_auth_password(self, username: str, password: str) -> int:
        return self._verdict(username, username == "helio" and password == self.drop.password)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._verdict(username, username == "helio" and self.drop.key is not None and key == self.drop.key)

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "password,publickey"

    def _verdict(self, username: str, right: bool) -> int:
        if right:
            self.drop.signed_in.append(username)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED


class _Files(SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, drop: Drop, *_: Any, **__: Any) -> None:
        super().__init__(server)
        self.drop = drop

    def _path(self, path: str) -> Path:
        return self.drop.folder / self.canonicalize(path).lstrip("/")

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> Any:  # noqa: ARG002
        if self.drop.is_full:
            return paramiko.SFTP_FAILURE
        try:
            file = os.fdopen(os.open(self._path(path), flags, 0o644), "wb")
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)
        handle = SFTPHandle(flags)
        handle.writefile = file  # type: ignore[attr-defined]
        handle.filename = str(self._path(path))  # type: ignore[attr-defined]
        return handle

    def stat(self, path: str) -> Any:
        try:
            return SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    def remove(self, path: str) -> int:
        try:
            self._path(path).unlink()
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        """Version 3 of the protocol: nothing is overwritten."""
        if self._path(newpath).exists():
            return paramiko.SFTP_FAILURE
        self._path(oldpath).rename(self._path(newpath))
        return paramiko.SFTP_OK

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if not self.drop.renames:
            return paramiko.SFTP_OP_UNSUPPORTED
        self._path(oldpath).rename(self._path(newpath))
        return paramiko.SFTP_OK
