"""A POST to an address of a destination, and how it went where there is no answer."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph.care.delivery.channel import Result, connect_timeout
from heliograph.kit.errors import HeliographError
from heliograph.kit.net import http_out
from heliograph.kit.net.outward import NotReached, networks, trust
from heliograph.kit.settings import Settings


def send_post(settings: Settings, url: str, body: bytes, headers: Mapping[str, str]) -> http_out.Answer | Result:
    """The answer, or how the try ended without one."""
    try:
        return http_out.call(
            "POST",
            url,
            body=body,
            headers=headers,
            allowed=networks(settings.outgoing_networks),
            trusted=trust(settings.outgoing_ca_file),
            timeout=settings.delivery_timeout_seconds,
            connect_timeout=connect_timeout(settings),
        )
    except http_out.NoAnswer as error:
        return Result("no_answer", error.detail)
    except NotReached as error:
        return Result("not_connected", error.detail)
    except HeliographError as error:  # an address that may not be called: no try will mend that
        return Result("refused_AR", error.detail)
