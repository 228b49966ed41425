"""A mail server on loopback, as RFC 5321 has it: EHLO, STARTTLS, AUTH PLAIN, MAIL, RCPT, DATA; what it says can be changed."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from dataclasses import dataclass, field


@dataclass
class Mailbox:
    """What came. `replies`: what is said in place of the usual, by command or verb; `mails`: sender, recipients, data."""

    context: ssl.SSLContext | None = None
    is_tls: bool = False
    login: tuple[str, str] | None = None
    replies: dict[str, bytes] = field(default_factory=dict)
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.1)
        self.port = self._listening.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

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
            connection.settimeout(5)
            try:
                if self.is_tls and self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self._talk(connection)
            except (OSError, EOFError):
                pass
            finally:
                connection.close()

    def _talk(self, line: socket.socket) -> None:  # noqa: C901, PLR0912 (one conversation, command by command)
        def say(text: bytes) -> None:
            line.sendall(text + b"\r\n")

        say(self.replies.get("banner", b"220 mail.test ESMTP"))
        buffer, sender, recipients, secured = b"", "", [], self.is_tls
        while True:
            while b"\r\n" not in buffer:
                got = line.recv(4096)
                if not got:
                    raise EOFError
                buffer += got
            command, _, buffer = buffer.partition(b"\r\n")
            text = command.decode()
            self.commands.append(text)
            verb = text.split(" ")[0].upper().split(":")[0]
            usual = self.replies.get(text.lower()) or self.replies.get(verb)
            if usual is not None:
                say(usual)
            elif verb == "EHLO":
                offers = [b"mail.test"]
                if self.context and not secured:
                    offers.append(b"STARTTLS")
                if self.login:
                    offers.append(b"AUTH PLAIN")
                say(b"\r\n".join([b"250-" + o for o in offers[:-1]] + [b"250 " + offers[-1]]))
            elif verb == "STARTTLS" and self.context:
                say(b"220 go on")
                line, secured, buffer = self.context.wrap_socket(line, server_side=True), True, b""
            elif verb == "AUTH" and self.login:
                _, user, password = base64.b64decode(text.split(" ")[2]).decode().split("\0")
                say(b"235 ok" if (user, password) == self.login else b"535 no")
            elif verb == "MAIL":
                sender, recipients = text.partition("<")[2].partition(">")[0], []
                say(b"250 ok")
            elif verb == "RCPT":
                recipients.append(text.partition("<")[2].partition(">")[0])
                say(b"250 ok")
            elif verb == "DATA":
                say(b"354 go on")
                while b"\r\n.\r\n" not in buffer:
                    buffer += line.recv(65536)
                data, _, buffer = buffer.partition(b"\r\n.\r\n")
                answer = self.replies.get("end of data", b"250 taken")
                if answer.startswith(b"250"):
                    self.mails.append((sender, recipients, data))
                say(answer)
            elif verb == "QUIT":
                say(b"221 bye")
                return
            else:
                say(b"250 ok")
