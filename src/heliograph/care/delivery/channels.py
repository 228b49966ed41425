"""The ways out for reports, in one place. A kind of endpoint (`records.sites.kinds`) names its channel; an entry here makes it go."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph.care.delivery import hl7
from heliograph.care.delivery.archive_pdf import store_pdf
from heliograph.care.delivery.channel import Channel

CHANNELS: Mapping[str, Channel] = {
    "hl7": Channel(prepare=hl7.prepare, talk=hl7.talk),
    "archive": Channel(file=store_pdf),
    "page": Channel(),
}
"""By the name that `Delivery.channel` holds. What each is called: `CHANNEL_NAMES` of the worklist."""
