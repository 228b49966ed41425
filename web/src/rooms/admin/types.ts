/** What administration speaks with the server. */
import type { Role } from "../../api/types";

export interface Organization {
  id: string;
  slug: string;
  name: string;
  short_name: string;
  kind: string;
  is_active: boolean;
}

export interface Facility {
  id: string;
  organization_id: string;
  code: string;
  name: string;
  short_name: string;
  jurisdiction: string;
  time_zone: string;
  report_languages: string[];
  patient_id_authority: string;
  accession_issuer: string;
  phone: string | null;
  quiet_seconds: number | null;
  is_images_only: boolean;
  held_answer: string;
  fallback_charset: string | null;
  is_active: boolean;
}

export interface Caller {
  id: string;
  organization_id: string;
  facility_id: string;
  called_ae: string;
  calling_ae: string;
  address: string | null;
  description: string | null;
  sends_priors: boolean;
  tls_required: boolean;
  certificate_sha256: string | null;
  fallback_charset: string | null;
  is_active: boolean;
}

/** A DICOM node that we call. */
export interface Node {
  id: string;
  organization_id: string;
  facility_id: string | null;
  name: string;
  ae_title: string;
  calling_ae: string;
  host: string;
  port: number;
  tls: "off" | "on" | "verify";
  is_destination: boolean;
  is_queried: boolean;
  is_sent_to: boolean;
  is_active: boolean;
}

export interface Endpoint {
  id: string;
  organization_id: string;
  facility_id: string;
  kind: string;
  name: string;
  host: string | null;
  port: number | null;
  application: string;
  facility_name: string;
  charset: string;
  is_active: boolean;
  /** Of a feed: where its values stand, where that is not as usual. */
  mapping: Record<string, unknown>;
  settings: Record<string, unknown>;
  repeats_control_ids: boolean;
  ignored: string[];
  order_answer: "ack" | "order_response";
  tls_required: boolean;
  certificate_sha256: string | null;
  reply_host: string | null;
  reply_port: number | null;
  takes_files: boolean;
}

export interface Agreement {
  id: string;
  organization_id: string;
  group_organization_id: string;
  group_name: string;
  version: number;
  exam_classes: string[];
  read_kind: string;
  viewing_places: string[];
  includes_coordination: boolean;
  allows_provisional_stat: boolean;
  valid_from: string;
  valid_until: string | null;
  promises: Record<string, number>;
}

export interface Validity {
  valid_from: string;
  valid_until: string | null;
}

export interface Licence extends Validity {
  id: string;
  jurisdiction: string;
  number: string;
  scope: string;
  status: string;
  is_verified: boolean;
}

export interface Certificate extends Validity {
  id: string;
  subspecialty: string;
  board: string;
}

export interface Engagement extends Validity {
  id: string;
  organization_id: string;
  organization_name: string;
  is_locum: boolean;
  malpractice_jurisdictions: string[];
}

export interface Privilege extends Validity {
  id: string;
  organization_id: string;
  facility_id: string;
  facility_name: string;
  subspecialties: string[];
  status: string;
}

export interface ReaderFacts {
  reader_id: string;
  user_id: string;
  name: string;
  is_active: boolean;
  capacity: number;
  engagements: Engagement[];
  licences: Licence[];
  certificates: Certificate[];
  languages: string[];
  privileges: Privilege[];
  places: { id: string; name: string; jurisdiction: string; time_zone: string; is_current: boolean }[];
}

export interface RoleHeld {
  organization_id: string;
  role: Role;
  facility_id: string | null;
}

export interface User {
  id: string;
  username: string;
  display_name: string;
  email: string | null;
  time_zone: string;
  has_totp: boolean;
  is_operator: boolean;
  is_active: boolean;
  roles: RoleHeld[];
}

export interface MachineKey {
  id: string;
  organization_id: string;
  facility_id: string;
  name: string;
  may_store: boolean;
  may_read: boolean;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface Shift {
  id: string;
  organization_id: string;
  reader_id: string;
  starts_at: string;
  ends_at: string;
}
