"""Administrators see no patient data: row-level security shows them no row that is about a patient.

Some rows concern them all the same, without what they say of a patient: whether messages are taken and reports arrive. The use-cases that
show those ask for `administering`, which lets the transaction see the rows, and answer for it that nothing of a patient gets out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from heliograph.governance.access.door import CurrentUser
from heliograph.kit.actor import Actor
from heliograph.kit.http import WorksDep
from heliograph.kit.work import Work


def administering(actor: Actor) -> Actor:
    """The same person, acting for the organisations that they administer."""
    return replace(actor, organizations=actor.organizations_with("administrator"))


def _begin(works: WorksDep, actor: CurrentUser) -> Iterator[Work]:
    with works.begin(administering(actor)) as work:
        yield work


AdministeringDep = Annotated[Work, Depends(_begin, scope="function")]
"""Work as `administering`; only for routes that show no patient data to an administrator."""
