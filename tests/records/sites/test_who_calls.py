"""Which known caller or feed an address means."""

from __future__ import annotations

import pytest

from heliograph.app.context import Context
from heliograph.kit.actor import system
from heliograph.records.sites import queries
from heliograph.records.sites.administer import add_caller, add_endpoint, change_caller, change_facility
from heliograph.records.sites.errors import BadSite, CallerTaken, SenderTaken
from heliograph.records.sites.rules import most_specific, specificity
from tests.cast import Cast


@pytest.mark.parametrize(
    ("known", "address", "bits"),
    [(None, "10.1.2.3", 0), ("", "10.1.2.3", 0), ("10.1.2.3", "10.1.2.3", 33), ("10.1.0.0/16", "10.1.2.3", 17),
     ("10.2.0.0/16", "10.1.2.3", -1), ("10.1.2.3", "::ffff:10.1.2.3", 33), ("fe80::/10", "fe80::1%eth0", 11),
     ("10.1.2.3", "fe80::1", -1), ("nonsense", "10.1.2.3", -1), ("10.1.2.3", "", -1), ("0.0.0.0/0", "10.1.2.3", 1)],
)  # fmt: skip
def test_how_well_an_address_fits(known, address, bits) -> None:
    assert specificity(known, address) == bits


def test_two_that_fit_equally_are_none() -> None:
    assert most_specific(["10.1.0.0/16", None, "10.1.2.3"], lambda x: x, "10.1.2.3") == "10.1.2.3"
    assert most_specific([None, None], lambda x: x, "10.1.2.3") is None
    assert most_specific([], lambda x: x, "10.1.2.3") is None


def test_the_most_specific_caller_is_meant(context: Context, cast: Cast) -> None:
    with context.works.begin(cast.astrid) as work:
        add = {"called_ae": "HELIO_NF", "calling_ae": "NF_CT1"}
        net = add_caller(work, cast.norfjord_facility, {**add, "address": "10.1.2.0/24"})
        host = add_caller(work, cast.norfjord_facility, {**add, "address": "10.1.2.3/32"})
    with context.works.read(system("dimse")) as work:

        def who(calling: str, address: str):
            found = queries.caller_for(work.session, " HELIO_NF ", calling, address)
            return found and found.id

        assert who("NF_CT1 ", "10.1.2.3") == host
        assert who("NF_CT1", "10.1.2.9") == net
        assert who("NF_CT1", "192.168.1.1") == cast.caller
        assert who("nf_ct1", "10.1.2.3") is None
        assert who("OTHER", "10.1.2.3") is None


def test_an_inactive_caller_or_facility_is_unknown(context: Context, cast: Cast) -> None:
    with context.works.begin(cast.astrid) as work:
        change_caller(work, cast.caller, {"is_active": False})
    with context.works.read(system("dimse")) as work:
        assert queries.caller_for(work.session, "HELIO_NF", "NF_CT1", "10.1.2.3") is None
    with context.works.begin(cast.astrid) as work:
        change_caller(work, cast.caller, {"is_active": True})
        change_facility(work, cast.norfjord_facility, {"is_active": False})
    with context.works.read(system("dimse")) as work:
        assert queries.caller_for(work.session, "HELIO_NF", "NF_CT1", "10.1.2.3") is None
        assert queries.endpoint_for_sender(work.session, "NFRIS", "NORFJORD", "10.1.2.3") is None


def test_a_sender_is_one_feed(context: Context, cast: Cast) -> None:
    feed = {"kind": "hl7_in", "name": "Second", "application": "NFRIS", "facility_name": "NORFJORD"}
    with pytest.raises(SenderTaken), context.works.begin(cast.astrid) as work:
        add_endpoint(work, cast.norfjord_facility, feed)
    with context.works.begin(cast.astrid) as work:
        near = add_endpoint(work, cast.norfjord_facility, {**feed, "host": "10.9.0.0/16"})
    with context.works.read(system("hl7")) as work:
        found = queries.endpoint_for_sender(work.session, "NFRIS", "NORFJORD", "10.9.1.1")
        assert found is not None
        assert found.id == near
        found = queries.endpoint_for_sender(work.session, "NFRIS", "NORFJORD", "10.8.1.1")
        assert found is not None
        assert found.id == cast.hl7_in
        assert queries.endpoint_for_sender(work.session, "NFRIS", "LLANO", "10.9.1.1") is None


@pytest.mark.parametrize(
    ("values", "error"),
    [({"called_ae": "A" * 17, "calling_ae": "X"}, BadSite), ({"called_ae": "A\\B", "calling_ae": "X"}, BadSite),
     ({"called_ae": "HELIO", "calling_ae": "X", "address": "not an address"}, BadSite),
     ({"called_ae": "HELIO_NF", "calling_ae": "NF_CT1"}, CallerTaken)],
)  # fmt: skip
def test_what_no_caller_can_be(context: Context, cast: Cast, values, error) -> None:
    with pytest.raises(error), context.works.begin(cast.astrid) as work:
        add_caller(work, cast.norfjord_facility, values)
