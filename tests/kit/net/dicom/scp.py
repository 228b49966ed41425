"""A storage SCP on a raw socket that writes down how long the PDUs are that it gets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from heliograph.kit.net.dicom import pdu
from heliograph.kit.net.dicom.command import decode_command, encode_response
from tests.kit.net.dicom.peers import read_pdu


@dataclass
class Receiving:
    """What came: lengths of the P-DATA-TF PDUs as their heads say, and the data set."""

    port: int
    lengths: list[int] = field(default_factory=list)
    data: bytes = b""


@contextmanager
def receiving(max_pdu: int) -> Iterator[Receiving]:
    """Takes one association with one C-STORE, and declares `max_pdu`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        found = Receiving(server.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, found, max_pdu), daemon=True)
        thread.start()
        yield found
        thread.join(10)
        assert not thread.is_alive()


def _serve(server: socket.socket, found: Receiving, max_pdu: int) -> None:
    sock, _ = server.accept()
    with sock:
        sock.settimeout(10)
        _, body = read_pdu(sock)
        request = pdu.decode_associate_request(body)
        results = [pdu.ContextResult(c.id, pdu.ACCEPTED, c.transfer_syntaxes[0]) for c in request.contexts]
        sock.sendall(pdu.encode_associate_accept(request, results, max_pdu))
        command, context = b"", 0
        while True:
            kind, body = read_pdu(sock)
            if kind == pdu.RELEASE_RQ:
                sock.sendall(pdu.RELEASE_RESPONSE)
                return
            if kind != pdu.P_DATA:
                return
            found.lengths.append(len(body))
            at = 0
            while at < len(body):
                length, context, control = struct.unpack_from(">IBB", body, at)
                piece = body[at + 6 : at + 4 + length]
                at += 4 + length
                if control & 1:
                    command += piece
                else:
                    found.data += piece
                    if control & 2:
                        sock.sendall(pdu.encode_message(context, encode_response(decode_command(command), 0)))
