"""Loads every room's tables, so that foreign keys resolve; used by migrations, the app and the tests."""

from heliograph.care.delivery import model as _delivery
from heliograph.care.orders import model as _orders
from heliograph.care.questions import model as _questions
from heliograph.care.reading import model as _reading
from heliograph.care.results import model as _results
from heliograph.care.rota import model as _rota
from heliograph.care.worklist import model as _worklist
from heliograph.governance.access import model as _access
from heliograph.governance.audit import model as _audit
from heliograph.governance.tenancy import model as _tenancy
from heliograph.kit.db.base import metadata
from heliograph.records.agreements import model as _agreements
from heliograph.records.archive import model as _archive
from heliograph.records.patients import model as _patients
from heliograph.records.people import model as _people
from heliograph.records.sites import model as _sites

ROOMS = (
    _tenancy, _access, _audit, _sites, _people, _agreements, _patients, _archive, _orders, _rota, _worklist, _questions, _reading,
    _results, _delivery,
)  # fmt: skip
SCHEMAS = (
    "tenancy", "access", "audit", "sites", "people", "agreements", "patients", "archive", "orders", "rota", "worklist", "questions",
    "reading", "results", "delivery",
)  # fmt: skip

__all__ = ["ROOMS", "SCHEMAS", "metadata"]
