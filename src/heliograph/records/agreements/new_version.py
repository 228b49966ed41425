"""Making a new version of an agreement: the only way to change one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from heliograph.governance.policy.jurisdictions import jurisdiction
from heliograph.governance.tenancy import grants
from heliograph.governance.tenancy.queries import organization
from heliograph.kit.errors import NotFound
from heliograph.kit.work import Work
from heliograph.records.agreements.errors import BadAgreement
from heliograph.records.agreements.model import Agreement, Promise
from heliograph.records.agreements.rules import PRIORITIES


def new_version(
    work: Work,
    organization_id: UUID,
    group_organization_id: UUID,
    *,
    promises: Mapping[str, int],
    exam_classes: Sequence[str] = (),
    read_kind: str = "final",
    viewing_places: Sequence[str] = (),
    includes_coordination: bool = True,
    allows_provisional_stat: bool = True,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> UUID:
    """Agrees anew: the next version between client and group. The client's administrator makes it.

    With `includes_coordination` the group's coordinators may see the client's worklist (a `coordination` grant); without it that ends.

    Raises: NotFound, BadAgreement.
    """
    _may(work, organization_id)
    _check(work, organization_id, group_organization_id, promises, read_kind, viewing_places)
    start = valid_from or work.now
    if valid_until is not None and valid_until <= start:
        raise BadAgreement("It can't end before it begins.")
    version = work.session.scalar(
        select(func.coalesce(func.max(Agreement.version), 0) + 1).where(
            Agreement.organization_id == organization_id, Agreement.group_organization_id == group_organization_id
        )
    )
    made = Agreement(
        organization_id=organization_id,
        group_organization_id=group_organization_id,
        version=version,
        exam_classes=list(exam_classes),
        read_kind=read_kind,
        viewing_places=list(viewing_places),
        includes_coordination=includes_coordination,
        allows_provisional_stat=allows_provisional_stat,
        valid_from=start,
        valid_until=valid_until,
    )
    work.session.add(made)
    work.session.flush()
    work.session.add_all(Promise(agreement_id=made.id, priority=p, minutes=m) for p, m in promises.items())
    if includes_coordination:
        # Row-level security asks for the grant at the time of the look, so a later beginning is a later grant.
        grants.give(
            work,
            organization_id,
            group_organization_id,
            "coordination",
            agreement_id=made.id,
            valid_from=valid_from if valid_from and valid_from > work.now else None,
            valid_until=valid_until,
        )
    else:
        grants.end(work, organization_id, group_organization_id, "coordination")
    work.record(
        "agreement.made",
        organization_id=organization_id,
        subject_kind="agreement",
        subject_id=made.id,
        detail={"group": str(group_organization_id), "version": version, "promises": dict(promises)},
    )
    return made.id


def _may(work: Work, organization_id: UUID) -> None:
    actor = work.actor
    allowed = (
        organization_id in actor.organizations
        if actor.kind == "system"
        else actor.holds("administrator", organization_id)
    )
    if not allowed:
        raise NotFound()


def _check(
    work: Work,
    organization_id: UUID,
    group_organization_id: UUID,
    promises: Mapping[str, int],
    read_kind: str,
    viewing_places: Sequence[str],
) -> None:
    group = organization(work.session, group_organization_id)
    if group is None or group.kind != "reading_group" or group.id == organization_id:
        raise BadAgreement("The other side is not a reading group.")
    if read_kind not in ("final", "preliminary"):
        raise BadAgreement("Reads are final or preliminary.")
    unknown = [c for c in viewing_places if jurisdiction(c) is None]
    if unknown:
        raise BadAgreement("Unknown places: " + ", ".join(unknown) + ".")
    if not promises or any(p not in PRIORITIES or m < 1 for p, m in promises.items()):
        raise BadAgreement("Promise at least 1 minute for at least one priority: " + ", ".join(PRIORITIES) + ".")
