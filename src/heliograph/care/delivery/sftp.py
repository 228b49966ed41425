"""Reports as files over SFTP (SSH File Transfer Protocol, version 3): as `drop`, on another machine.

The server must show the key that was pinned, before anything is said to it; its address is looked up and looked at as a webhook's is.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import posixpath
from dataclasses import dataclass

import paramiko

from heliograph.care.delivery.channel import Prepared, Result, Try, connect_timeout
from heliograph.care.delivery.drop import MESSAGE_TYPE, Files, files_of
from heliograph.care.delivery.errors import CannotBuild
from heliograph.kit.errors import HeliographError
from heliograph.kit.net.outward import Clock, NotReached, dial, ended_after, networks, reason, resolve
from heliograph.kit.seal import seal
from heliograph.kit.settings import Settings
from heliograph.kit.work import Work
from heliograph.records.sites.kinds import SftpSettings
from heliograph.records.sites.queries import EndpointFacts
from heliograph.records.sites.secrets import secrets_in_force

_KEYS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class WrongHostKey(HeliographError):
    """The server showed another key than the one that was pinned."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to, as whom, and by what: a password or a private key."""

    host: str
    port: int
    user: str
    folder: str
    host_key: str
    password: str | None
    private_key: str | None


def prepare(work: Work, settings: Settings, one: Try) -> Prepared:
    """The files and the server. Raises: CannotBuild, NotFound."""
    if one.destination is None:
        raise CannotBuild("This destination has no address.")
    message, files = files_of(work, settings, one)
    to = server_of(work, settings, one.destination)
    return Prepared(message, MESSAGE_TYPE, f"sftp {to.host}:{to.port}", (to, files))


def talk(settings: Settings, one: Try, prepared: Prepared) -> Result:  # noqa: ARG001 (a channel's signature)
    """Puts them there."""
    to, files = prepared.to
    return put(settings, to, files)


def server_of(work: Work, settings: Settings, endpoint: EndpointFacts) -> Server:
    """The server of a destination with its secret. Raises: CannotBuild."""
    wanted = SftpSettings.model_validate(endpoint.settings)
    try:
        box = seal(settings.secrets_key, settings.keys_dir)
        keys = secrets_in_force(work.session, box, endpoint.id, "private_key", work.now)
        passwords = secrets_in_force(work.session, box, endpoint.id, "password", work.now)
    except HeliographError as error:
        raise CannotBuild(f"The secret can't be used. {error.detail}") from error
    if not keys and not passwords:
        raise CannotBuild("This destination has neither a password nor a private key yet.")
    return Server(
        endpoint.host or "",
        endpoint.port or 22,
        wanted.user,
        wanted.folder,
        wanted.host_key,
        passwords[0] if passwords else None,
        keys[0] if keys else None,
    )


def put(settings: Settings, to: Server, files: Files) -> Result:
    """One connection; every file is whole on the server before it has its name."""
    try:
        with ended_after(settings.delivery_timeout_seconds) as clock:
            return _put(settings, to, files, clock)
    except WrongHostKey as error:
        return Result("refused_AR", error.detail)
    except NotReached as error:
        return Result("not_connected", error.detail)
    except HeliographError as error:
        return Result("refused_AR", error.detail)
    except paramiko.AuthenticationException:
        return Result("refused_AE", "The server refused our sign-in.")
    except (paramiko.SSHException, EOFError):
        return Result("no_answer", "The server broke off.")
    except OSError as error:
        return Result("not_stored", f"The files could not be put there: {reason(error)}.")


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -lf` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def private_key(text: str) -> paramiko.PKey:
    """A key in OpenSSH's or PEM form, without a passphrase. Raises: CannotBuild."""
    for kind in _KEYS:
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
    raise CannotBuild("The private key is none of Ed25519, ECDSA or RSA without a passphrase.")


def _put(settings: Settings, to: Server, files: Files, clock: Clock) -> Result:
    seconds = connect_timeout(settings)
    line = dial(resolve(to.host, to.port, networks(settings.outgoing_networks)), timeout=seconds)
    with line:
        clock.watch(line)
        transport = paramiko.Transport(line)
        transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = seconds
        try:
            try:
                transport.start_client(timeout=seconds)
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise NotReached("It could not be reached: it does not speak SSH as we do.") from error
            if fingerprint(transport.get_remote_server_key()) != to.host_key:
                raise WrongHostKey
            if to.private_key:
                transport.auth_publickey(to.user, private_key(to.private_key))
            else:
                transport.auth_password(to.user, to.password or "", fallback=True)
            sftp = paramiko.SFTPClient.from_transport(transport)
            if sftp is None:
                raise paramiko.SSHException("no channel")
            sftp.get_channel().settimeout(settings.delivery_timeout_seconds)  # type: ignore[union-attr]
            for name, content in files.files:
                _write(sftp, to.folder, name, content)
        finally:
            transport.close()
    return Result("stored")


def _write(sftp: paramiko.SFTPClient, folder: str, name: str, content: bytes) -> None:
    part, whole = posixpath.join(folder, f".{name}.part"), posixpath.join(folder, name)
    with sftp.open(part, "wb") as file:
        file.set_pipelined(True)
        file.write(content)
    if sftp.stat(part).st_size != len(content):
        raise OSError("the file is not whole there")
    try:
        sftp.posix_rename(part, whole)
    except OSError:  # a server without OpenSSH's extension: its rename overwrites nothing (version 3, 6.5)
        with contextlib.suppress(OSError):
            sftp.remove(whole)
        sftp.rename(part, whole)
