"""What the worklist's routes answer and take. Times are UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from heliograph.care.orders.agree import Field as Disagrees
from heliograph.care.orders.states import OrderSource, OrderStatus
from heliograph.care.worklist.states import (
    CaseState,
    Channel,
    DeliveryStatus,
    ReadKind,
    ReadState,
    VersionKind,
    VersionState,
)
from heliograph.care.worklist.verdicts import Outcome, Rule
from heliograph.records.agreements.rules import Priority
from heliograph.records.archive.queries import MatchState

Tab = Literal["mine", "stat", "due", "late", "arriving", "drafts", "done"]


class Identifier(BaseModel):
    """A patient identifier with its authority."""

    authority: str
    value: str


class Banner(BaseModel):
    """What every page shows of a patient."""

    id: UUID
    display_name: str
    family_name: str
    given_name: str
    birth_date: date | None
    age_years: int | None
    sex: str | None
    identifiers: list[Identifier]


class FacilityBrief(BaseModel):
    """A place where images are made."""

    id: UUID
    name: str
    short_name: str
    jurisdiction: str
    time_zone: str


class Named(BaseModel):
    """Somebody or something by id and name."""

    id: UUID
    name: str


class Check(BaseModel):
    """One rule's answer in words, and whose rule it is."""

    rule: Rule
    outcome: Outcome
    text: str
    source: str


class ListItem(BaseModel):
    """One read on a list."""

    read_id: UUID
    case_id: UUID
    state: ReadState
    has_draft: bool
    is_arriving: bool
    is_provisional: bool
    late_images_at: datetime | None
    hold_reason: str | None
    kind: ReadKind
    priority: Priority
    due_at: datetime | None
    clock_started_at: datetime | None
    promise_minutes: int | None
    last_image_at: datetime | None
    patient: Banner | None
    exam: str
    exam_class: str
    modality: str
    facility: FacilityBrief
    number_of_images: int
    number_of_priors: int
    accession: str | None
    referrer: str | None
    opened_by: str | None


class MyList(BaseModel):
    """A reader's list under one tab, and how many each tab holds."""

    items: list[ListItem]
    counts: dict[Tab, int]
    now: datetime


class ReadBrief(BaseModel):
    """One read of a case."""

    id: UUID
    kind: ReadKind
    state: ReadState
    reader: Named | None
    assigned_at: datetime | None
    opened_at: datetime | None
    done_at: datetime | None
    due_at: datetime | None


class ProcedureBrief(BaseModel):
    """One requested procedure."""

    id: UUID
    description: str
    code: str | None
    modality: str | None
    exam_class: str
    laterality: str | None


class DocumentBrief(BaseModel):
    """A document attached to an order."""

    id: UUID
    name: str
    kind: str
    media_type: str


class OrderBrief(BaseModel):
    """An order."""

    id: UUID
    accession: str | None
    placer_number: str | None
    filler_number: str | None
    priority: Priority
    status: OrderStatus
    source: OrderSource
    indication: str | None
    notes: str | None
    referrer_name: str | None
    referrer_phone: str | None
    ordered_at: datetime | None
    received_at: datetime
    procedures: list[ProcedureBrief]
    documents: list[DocumentBrief]


class DicomPatient(BaseModel):
    """The patient as the images name them."""

    name: str | None
    id: str | None
    birth_date: date | None
    sex: str | None


class StudyBrief(BaseModel):
    """A study."""

    id: UUID
    study_instance_uid: str
    organization_slug: str
    description: str | None
    modalities: list[str]
    study_date: date | None
    number_of_series: int
    number_of_instances: int
    first_received_at: datetime
    last_received_at: datetime
    completed_at: datetime | None
    match_state: MatchState
    match_reason: str | None
    accession: str | None
    dicom_patient: DicomPatient
    charset_suspect: bool = False
    """Texts of its images, names among them, may be garbled."""


class PriorBrief(BaseModel):
    """An earlier study of the patient, and its report if there is one."""

    study_id: UUID
    study_instance_uid: str
    description: str | None
    modalities: list[str]
    study_date: date | None
    report_version_id: UUID | None


class ImagesSay(BaseModel):
    """What images say otherwise than their order: of whom, of which part of the body, or of which side. Dates are ISO 8601."""

    study_id: UUID
    order_id: UUID
    field: Disagrees
    in_order: str
    in_images: str


class VersionBrief(BaseModel):
    """A signed version."""

    id: UUID
    number: int
    kind: VersionKind
    state: VersionState
    signer_name: str
    signed_at: datetime


class DeliveryBrief(BaseModel):
    """One version to one destination."""

    id: UUID
    version_id: UUID
    version_number: int
    channel: Channel
    destination: str
    state: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    acknowledged_at: datetime | None
    acknowledgement_code: str | None
    last_error: str | None
    hold_reason: str | None


class AlarmBrief(BaseModel):
    """An open alarm."""

    id: UUID
    kind: str
    text: str
    case_id: UUID | None
    study_id: UUID | None
    raised_at: datetime
    seen_by: UUID | None


class CaseDetail(BaseModel):
    """A case with all that belongs to it."""

    id: UUID
    organization_id: UUID
    organization_name: str
    organization_slug: str
    priority: Priority
    state: CaseState
    due_at: datetime | None
    clock_started_at: datetime | None
    promise_minutes: int | None
    closed_at: datetime | None
    is_provisional: bool
    is_arriving: bool
    late_images_at: datetime | None
    hold_reason: str | None
    exam: str
    exam_class: str
    patient: Banner | None
    facility: FacilityBrief
    group: Named | None
    reads: list[ReadBrief]
    orders: list[OrderBrief]
    studies: list[StudyBrief]
    disagreements: list[ImagesSay]
    priors: list[PriorBrief]
    versions: list[VersionBrief]
    deliveries: list[DeliveryBrief]
    alarms: list[AlarmBrief]
    why: list[Check]


class ReaderVerdict(BaseModel):
    """One reader's verdict for one case."""

    reader_id: UUID
    name: str
    hub: str
    is_assigned: bool
    eligible: bool
    checks: list[Check]
    why: str
    open: int
    capacity: int


class Matrix(BaseModel):
    """Who could read a case, and why not each other one, at an occasion."""

    occasion: str
    at: datetime | None
    readers: list[ReaderVerdict]


class TimelineStep(BaseModel):
    """One step, with the seconds since the step before."""

    at: datetime
    action: str
    text: str
    actor: str
    interval_seconds: float | None
    outcome: str


class TimelineSight(BaseModel):
    """Who saw or did what."""

    at: datetime
    actor: str
    text: str
    outcome: str


class TimelineInterval(BaseModel):
    """A stretch of the bar."""

    kind: str
    label: str
    begin: datetime = Field(serialization_alias="from")
    until: datetime


class Promise(BaseModel):
    """From the clock's start to the deadline."""

    begin: datetime = Field(serialization_alias="from")
    due: datetime


class Timeline(BaseModel):
    """All that happened to a case, as far as the viewer may see it."""

    site_zone: str
    reader_zone: str | None
    steps: list[TimelineStep]
    seen: list[TimelineSight]
    intervals: list[TimelineInterval]
    promise: Promise | None
    sealed: bool
    tree_size: int


class BoardItem(ListItem):
    """One open case on the board."""

    reader: Named | None
    no_reader_reasons: str | None
    case_state: CaseState


class UnmatchedItem(BaseModel):
    """A study that waits for its order."""

    study: StudyBrief
    facility: FacilityBrief
    age_seconds: int
    reason: str | None
    priority_guess: Priority | None
    alarm: bool


class BoardDelivery(DeliveryBrief):
    """A delivery that needs a look."""

    patient: Banner | None
    facility: FacilityBrief
    case_id: UUID
    next_step: str


class OnShift(BaseModel):
    """A reader who is on or comes on within twelve hours."""

    reader_id: UUID
    name: str
    place: str | None
    time_zone: str | None
    shift_ends_at: datetime | None
    shift_starts_at: datetime | None
    open: int
    capacity: int
    groups: list[str]


class KeptToday(BaseModel):
    """How many promises were kept since midnight UTC, and the median minutes from clock to signature."""

    kept: int
    of: int
    median_minutes: int | None


class Board(BaseModel):
    """The coordinator's board. `total` counts all open cases; `cases` holds those due first."""

    now: datetime
    cases: list[BoardItem]
    total: int
    unmatched: list[UnmatchedItem]
    deliveries: list[BoardDelivery]
    who_is_on: list[OnShift]
    alarms: list[AlarmBrief]
    kept_today: KeptToday


class Steps(BaseModel):
    """How far an exam is on the site's page."""

    current: int = Field(ge=0, le=5)
    names: list[str] = ["Ordered", "Images", "Queue", "Reading", "Signed", "Seen"]
    attention: bool


class SiteRow(BaseModel):
    """One exam on the site's page: a case, images without one, or an order without images."""

    case_id: UUID | None
    study_id: UUID | None
    order_id: UUID | None
    priority: Priority
    patient: Banner | None
    exam: str
    last_image_at: datetime | None
    steps: Steps
    state_text: str
    what_happens: str
    due_at: datetime | None
    version: VersionBrief | None
    acknowledged_at: datetime | None
    facility_id: UUID
    is_held: bool = False
    """Images that a person must look at before they are matched."""


class Node(BaseModel):
    """Where the site sends its images: without TLS, with it, or either way."""

    ae_title: str
    host: str
    port: int | None
    tls_port: int | None


class SiteFacility(FacilityBrief):
    """A facility of the page. The site sends images by DICOMweb under `/dicomweb/{organization_slug}`."""

    organization_slug: str


class Site(BaseModel):
    """The site's page."""

    facilities: list[SiteFacility]
    rows: list[SiteRow]
    node: Node


class Sought(BaseModel):
    """What is searched for: a patient's name or identifier, or an accession number."""

    words: str = Field("", max_length=200)


class Found(BaseModel):
    """One hit of the search."""

    case_id: UUID | None
    study_id: UUID | None
    order_id: UUID | None
    patient: Banner | None
    exam: str
    when: datetime | None
    state: str


class WithReason(BaseModel):
    """Why; kept in the record."""

    reason: str = Field(min_length=1, max_length=2000)


class AssignTo(WithReason):
    """To whom; nobody named: the platform chooses somebody else."""

    reader_id: UUID | None = None
    override_reason: str | None = Field(None, max_length=2000)


class Provisional(BaseModel):
    """How urgent an unmatched study is."""

    priority: Literal["TRAUMA1", "STROKE", "STAT"] = "STAT"


class Opened(BaseModel):
    """The read that was opened."""

    read_id: UUID


class Decided(BaseModel):
    """Who has the read now, and why; nobody: why not."""

    reader_id: UUID | None
    reason: str
