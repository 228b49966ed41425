/** The shapes the server speaks; times are ISO 8601 in UTC, ids are strings. */

export type Priority = "TRAUMA1" | "STROKE" | "STAT" | "ASAP" | "URGENT" | "PREOP" | "TIMED" | "ROUTINE" | "SCREEN";
export type Role = "reader" | "coordinator" | "site_staff" | "administrator" | "auditor";
export type RoomName = "list" | "board" | "case" | "site" | "admin";

export interface ReadingPlace {
  id: string;
  name: string;
  jurisdiction: string;
  time_zone: string;
}

export interface Session {
  user: { id: string; username: string; display_name: string; time_zone: string };
  roles: { organization_id: string; organization_name: string; organization_kind: string; role: Role; facility_id?: string | null }[];
  reader: { id: string; title: string; place?: Omit<ReadingPlace, "id"> | null; places: ReadingPlace[]; on_shift_until?: string | null } | null;
  csrf_token: string;
  demonstration: boolean;
  region: string;
  rooms: RoomName[];
  is_operator: boolean;
  signature_needed: boolean;
}

export interface Banner {
  id: string;
  display_name: string;
  family_name: string;
  given_name: string | null;
  birth_date: string | null;
  age_years: number | null;
  sex: string | null;
  identifiers: { authority: string; value: string }[];
}

export interface FacilityBrief {
  id: string;
  name: string;
  short_name: string;
  jurisdiction: string;
  time_zone: string;
}

export type ReadState = "waiting" | "ready" | "assigned" | "reading" | "done" | "cancelled";
export type CaseState = "arriving" | "ready" | "assigned" | "reading" | "signed" | "delivered" | "acknowledged" | "cancelled" | "no_reader";

export interface ListItem {
  read_id: string;
  case_id: string;
  state: ReadState;
  has_draft: boolean;
  is_arriving: boolean;
  is_provisional: boolean;
  late_images_at: string | null;
  priority: Priority;
  due_at: string | null;
  clock_started_at: string | null;
  promise_minutes: number | null;
  hold_reason?: string | null;
  kind?: string;
  last_image_at?: string | null;
  patient: Banner;
  exam: string;
  exam_class: string | null;
  modality: string | null;
  facility: FacilityBrief;
  number_of_images: number;
  number_of_priors: number;
  accession: string | null;
  referrer: string | null;
  opened_by: string | null;
}

export type ListTab = "mine" | "stat" | "due" | "late" | "arriving" | "drafts" | "done";

export interface MyList {
  items: ListItem[];
  counts: Record<ListTab, number>;
  now: string;
}

export type Rule = "licence" | "privilege" | "subspecialty" | "language" | "place" | "shift" | "capacity" | "engagement";
export type Outcome = "pass" | "fail" | "unknown";

export interface Check {
  rule: Rule;
  outcome: Outcome;
  text: string;
  source: string | null;
}

export interface OrderBrief {
  id: string;
  accession: string | null;
  placer_number: string | null;
  filler_number: string | null;
  priority: Priority;
  status: string;
  source: string;
  indication: string | null;
  referrer_name: string | null;
  referrer_phone: string | null;
  ordered_at: string | null;
  received_at: string;
  procedures: { id: string; description: string; code: string | null; modality: string | null; exam_class: string | null; laterality: string | null }[];
  documents: { id: string; name: string; kind: string; media_type: string }[];
}

export interface StudyBrief {
  id: string;
  study_instance_uid: string;
  organization_slug: string;
  description: string | null;
  modalities: string[];
  study_date: string | null;
  number_of_series: number;
  number_of_instances: number;
  first_received_at: string;
  last_received_at: string;
  completed_at: string | null;
  match_state: string;
  match_reason: string | null;
  accession: string | null;
  dicom_patient: { name: string | null; id: string | null; birth_date: string | null; sex: string | null };
}

export interface PriorBrief {
  study_id: string;
  study_instance_uid: string;
  description: string | null;
  modalities: string[];
  study_date: string | null;
  report_version_id: string | null;
}

export interface VersionBrief {
  id: string;
  number: number;
  kind: string;
  state: string;
  signer_name: string | null;
  signed_at: string | null;
}

export type DeliveryState = "queued" | "sent" | "acknowledged" | "held" | "failed";

export interface DeliveryBrief {
  id: string;
  version_id: string;
  version_number: number;
  channel: string;
  destination: string;
  state: DeliveryState;
  attempts: number;
  next_attempt_at: string | null;
  sent_at: string | null;
  acknowledged_at: string | null;
  acknowledgement_code: string | null;
  last_error: string | null;
  hold_reason: string | null;
}

export interface AlarmBrief {
  id: string;
  kind: string;
  text: string;
  case_id: string | null;
  study_id: string | null;
  raised_at: string;
  seen_by: string | null;
}

export interface ReadBrief {
  id: string;
  kind: string;
  state: ReadState;
  reader: { id: string; name: string } | null;
  assigned_at: string | null;
  opened_at: string | null;
  done_at: string | null;
}

export interface CaseDetail {
  id: string;
  organization_id: string;
  organization_name: string;
  priority: Priority;
  state: CaseState;
  due_at: string | null;
  clock_started_at: string | null;
  promise_minutes: number | null;
  closed_at: string | null;
  is_provisional: boolean;
  is_arriving: boolean;
  late_images_at: string | null;
  hold_reason: string | null;
  exam: string;
  exam_class: string | null;
  patient: Banner | null;
  facility: FacilityBrief;
  group: { id: string; name: string } | null;
  reads: ReadBrief[];
  orders: OrderBrief[];
  studies: StudyBrief[];
  priors: PriorBrief[];
  versions: VersionBrief[];
  deliveries: DeliveryBrief[];
  alarms: AlarmBrief[];
  /** Of the assigned reader. */
  why: Check[];
}

export interface Timeline {
  site_zone: string;
  reader_zone: string | null;
  steps: { at: string; action: string; text: string; actor: string | null; interval_seconds: number | null; outcome: string }[];
  seen: { at: string; actor: string | null; text: string; outcome: string }[];
  intervals: { kind: string; label: string; from: string; until: string }[];
  promise: { from: string; due: string } | null;
  sealed: boolean;
  tree_size: number;
}

export interface ReaderVerdict {
  reader_id: string;
  name: string;
  hub: string | null;
  is_assigned: boolean;
  eligible: boolean;
  checks: Check[];
  why: string;
  open: number;
  capacity: number;
}

export interface CaseReaders {
  occasion: string;
  at: string | null;
  readers: ReaderVerdict[];
}

export interface TemplateSection {
  id: string;
  title: string;
  loinc: string | null;
  required: boolean;
  kind: "text" | "findings" | "impression";
  default?: string | null;
}

export interface TemplateField {
  id: string;
  section: string;
  label: string;
  type: "enum" | "multi" | "number" | "text" | "boolean";
  options?: string[] | null;
  unit?: string | null;
  required: boolean;
  normal?: FieldValue | null;
  /** Plausible, not enforced. */
  minimum?: number | null;
  maximum?: number | null;
}

export type FieldValue = string | number | boolean | string[];

export interface DraftContent {
  sections: Record<string, string>;
  fields: Record<string, FieldValue | null>;
}

export interface Version {
  id: string;
  number: number;
  kind: "preliminary" | "final" | "addendum" | "corrected";
  state: string;
  sections: { id: string; title: string; text: string }[];
  text: string;
  signer_name: string;
  signer_details: { licence: { jurisdiction: string; number: string } | null; place: { name: string; jurisdiction: string } | null };
  meaning: string | null;
  signed_at: string;
  accession: string[];
  case_id: string;
  content_sha256: string;
}

export interface Workspace {
  /** The case itself comes from /api/cases/{id}. */
  case_id: string;
  read: { id: string; kind: string; state: ReadState };
  report: {
    id: string;
    template: { id: string; version: number; name: string; sections: TemplateSection[]; fields: TemplateField[] };
    language: string;
  };
  draft: { revision: number; content: DraftContent; saved_at: string | null };
  previous_versions: Version[];
  lock: { holder: string; since: string } | null;
  viewer: { organization_slug: string; study_instance_uids: string[]; prior_uids: string[] };
  signature_needed: boolean;
}

export interface ReportCheck {
  id: string;
  level: "stop" | "ask";
  text: string;
  field?: string | null;
}

export interface Board {
  now: string;
  cases: (ListItem & { reader: { id: string; name: string } | null; no_reader_reasons: string | null; case_state: CaseState })[];
  /** All open cases; `cases` holds those due first. */
  total: number;
  unmatched: { study: StudyBrief; facility: FacilityBrief; age_seconds: number; reason: string | null; priority_guess: Priority | null; alarm: boolean }[];
  deliveries: (DeliveryBrief & { patient: Banner | null; facility: FacilityBrief; case_id: string; next_step: string })[];
  who_is_on: {
    reader_id: string;
    name: string;
    place: string | null;
    time_zone: string | null;
    shift_ends_at: string | null;
    shift_starts_at: string | null;
    open: number;
    capacity: number;
    groups: string[];
  }[];
  alarms: AlarmBrief[];
  kept_today: { kept: number; of: number; median_minutes: number | null };
}

export interface MatchCandidate {
  order: OrderBrief;
  patient: Banner;
  differences: { field: string; in_order: string | null; in_images: string | null }[];
}

export interface SiteRow {
  case_id: string | null;
  study_id: string | null;
  order_id: string | null;
  priority: Priority;
  patient: Banner | null;
  exam: string;
  last_image_at: string | null;
  steps: { current: number; names: string[]; attention: boolean };
  state_text: string;
  what_happens: string;
  due_at: string | null;
  version: { id: string; number: number; kind: string } | null;
  acknowledged_at: string | null;
  facility_id: string;
}

export interface SiteFacility extends FacilityBrief {
  /** Images go to /dicomweb/{slug}/studies. */
  organization_slug: string;
}

export interface Site {
  facilities: SiteFacility[];
  rows: SiteRow[];
  node: { ae_title: string; host: string; port: number };
}

export interface SearchHit {
  case_id: string | null;
  study_id: string | null;
  order_id: string | null;
  patient: Banner;
  exam: string;
  when: string;
  state: string;
}

export interface MessageBrief {
  id: string;
  direction: "in" | "out";
  received_at: string;
  endpoint: string | null;
  message_type: string | null;
  control_id: string | null;
  fate: string;
  acknowledgement: string | null;
  fault: string | null;
  order_id: string | null;
}
