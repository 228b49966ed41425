"""The routes of all rooms and doors."""

from __future__ import annotations

from fastapi import APIRouter

from heliograph.care.delivery import api as delivery
from heliograph.care.delivery import destinations_api as destinations
from heliograph.care.orders import api as orders
from heliograph.care.orders import deletions_api as deletions
from heliograph.care.orders import doubts_api as doubts
from heliograph.care.orders import hidden_api as hidden
from heliograph.care.orders import mend_api as mend
from heliograph.care.orders import patients_api as patients
from heliograph.care.orders import quarantine_api as quarantine
from heliograph.care.orders import waiting_api as waiting
from heliograph.care.questions import api as questions
from heliograph.care.reading import api as reading
from heliograph.care.results import api as results
from heliograph.care.rota import api as rota
from heliograph.care.worklist import api as worklist
from heliograph.exchange.dicomweb import api as dicomweb
from heliograph.exchange.dicomweb import held_api as held
from heliograph.exchange.dimse import transfers_api as transfers
from heliograph.exchange.hl7 import feeds_api as feeds
from heliograph.exchange.hl7 import replay_api as replay
from heliograph.governance.access import api as access
from heliograph.governance.access import organizations_api as organizations
from heliograph.records.agreements import api as agreements
from heliograph.records.people import api as people
from heliograph.records.sites import api as sites
from heliograph.records.sites import messages_api as messages
from heliograph.records.sites import nodes_api as nodes

ROUTERS: tuple[APIRouter, ...] = (
    access.router, organizations.router, sites.router, nodes.router, people.router, agreements.router, orders.router, waiting.router,
    mend.router, patients.router, doubts.router, quarantine.router, messages.router, replay.router,
    hidden.router, deletions.router, rota.router, worklist.router, questions.router, reading.router, results.router,
    delivery.router, destinations.router,
    dicomweb.router, held.router, transfers.router, feeds.router,
)  # fmt: skip
