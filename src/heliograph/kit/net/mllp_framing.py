"""The frames of MLLP: 0B, the payload, 1C 0D, cut out of a byte stream (HL7 Transport Specification: MLLP,
release 1)."""

from __future__ import annotations

from heliograph.kit.errors import HeliographError

START = b"\x0b"
END = b"\x1c"
CARRIAGE_RETURN = b"\r"


class BadFrame(HeliographError):
    """The peer sent something that is no MLLP frame, or one that is too large."""

    status = 502


def frame(payload: bytes) -> bytes:
    """One payload in its frame.

    Raises:
        BadFrame: the payload holds 1C, which would end the frame early.
    """
    if END in payload:
        raise BadFrame("The message holds the byte 1C, which ends an MLLP frame; it can't be sent.")
    return START + payload + END + CARRIAGE_RETURN


class FrameReader:
    """Cuts a byte stream into payloads, however the stream is split into reads.

    - Bytes outside frames (NUL, LF, log text) are dropped.
    - 1C ends a frame when CR, LF or the next 0B follows; any other byte makes it content, because a message
      cut short would be acknowledged as if it were whole. A 1C that is the last byte so far is `pending`;
      `flush` takes it as the end.
    - 0B inside a frame is content (word processors write it as a line break), unless MSH, FHS or BHS follows:
      then the sender began again and the unfinished message is dropped, unanswered.
    """

    def __init__(self, max_bytes: int) -> None:
        self.oversize = False
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._inside = False
        self._scanned = 0

    @property
    def inside(self) -> bool:
        """A frame has begun and not ended."""
        return self._inside

    @property
    def pending(self) -> bool:
        """The last byte so far is 1C: the frame is whole but for its CR."""
        return self._inside and self._buffer.endswith(END)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order. Nothing more comes once `oversize` is set."""
        payloads: list[bytes] = []
        if not self.oversize:
            self._buffer += data
            while (payload := self._next()) is not None:
                payloads.append(payload)
        return payloads

    def flush(self) -> bytes | None:
        """The payload whose closing CR never came, if there is one."""
        return self._take(len(self._buffer) - 1, len(self._buffer)) if self.pending else None

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if not self._inside:
            begin = buffer.find(START)
            if begin < 0:
                buffer.clear()
                return None
            del buffer[: begin + 1]
            self._inside, self._scanned = True, 0
        while (end := buffer.find(END, self._scanned)) >= 0:
            if end > self._max_bytes:
                break
            following = buffer[end + 1 : end + 2]
            if not following:
                self._scanned = end
                return None
            if following in (CARRIAGE_RETURN, b"\n"):
                return self._take(end, end + 2)
            if following == START:
                return self._take(end, end + 1)
            self._scanned = end + 1
        else:
            self._scanned = len(buffer)
        if len(buffer) > self._max_bytes:
            self.oversize = True
            buffer.clear()
            self._inside = False
        return None

    def _take(self, end: int, consumed: int) -> bytes:
        payload = bytes(self._buffer[:end])
        del self._buffer[:consumed]
        self._inside, self._scanned = False, 0
        restart = max(payload.rfind(START + name) for name in (b"MSH", b"FHS", b"BHS"))
        return payload[restart + 1 :]
