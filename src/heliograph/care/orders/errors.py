"""Named refusals of orders."""

from __future__ import annotations

from heliograph.kit.errors import Conflict, Invalid


class OrderForAnotherPatient(Conflict):
    """An order with this number exists already, for another patient."""


class OrderUnknown(Conflict):
    """There is no order with this number to cancel."""


class FillerTaken(Conflict):
    """This filler number is that of another order; a filler number is never used again."""


class OrderUnasked(Conflict):
    """Nobody asked to cancel this order, or it was decided already."""


class OrderCancelled(Conflict):
    """This order was cancelled."""


class AlreadyMatched(Conflict):
    """The study is matched to another order already."""


class StudyHeld(Conflict):
    """The study is held because its identity is in doubt; settle that first."""


class OtherPatient(Conflict):
    """The images carry another patient's identity; confirm that they belong to the order's patient, with the reason."""


class ReasonNeeded(Invalid):
    """Say why; the reason is kept in the record."""


class BadDocument(Invalid):
    """Only PDF, PNG and JPEG files up to 25 MiB can be attached."""


class OrderIncomplete(Invalid):
    """The order lacks something that it needs."""


class OrderExists(Conflict):
    """An order of this patient with this accession number is here already."""


class PatientDiffers(Conflict):
    """This identifier is known under another name or birth date; check it, then confirm that it is the same person."""
