"""The ways out for reports, in one place. A kind of endpoint (`records.sites.kinds`) names its channel; an entry here makes it go."""

from __future__ import annotations

from collections.abc import Mapping

from heliograph.care.delivery import dicom, drop, email_notice, hl7, sftp, webhook
from heliograph.care.delivery.archive_pdf import store_pdf
from heliograph.care.delivery.channel import Channel

CHANNELS: Mapping[str, Channel] = {
    "hl7": Channel(prepare=hl7.prepare, talk=hl7.talk),
    "archive": Channel(file=store_pdf),
    "page": Channel(),
    "dicom": Channel(prepare=dicom.prepare, talk=dicom.talk),
    "webhook": Channel(prepare=webhook.prepare, talk=webhook.talk),
    "email": Channel(prepare=email_notice.prepare, talk=email_notice.talk),
    "folder": Channel(prepare=drop.prepare, talk=drop.talk),
    "sftp": Channel(prepare=sftp.prepare, talk=sftp.talk),
}
"""By the name that `Delivery.channel` holds. What each is called: `CHANNEL_NAMES` of the worklist."""
