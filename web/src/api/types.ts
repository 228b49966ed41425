/**
 * The shapes that the server speaks, as its own code declares them: `schema.d.ts` is made from `openapi.json`, which
 * `make openapi` writes. Times are ISO 8601 in UTC, ids are strings. Only what JSON Schema can't say is added here.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Session = Schemas["SessionView"];
export type Role = Session["roles"][number]["role"];
export type RoomName = Session["rooms"][number];
export type ReadingPlace = Schemas["PlaceView"];

export type Banner = Schemas["Banner"];
export type FacilityBrief = Schemas["FacilityBrief"];

export type ListItem = Schemas["ListItem"];
export type Priority = ListItem["priority"];
export type ReadState = ListItem["state"];
export type ListTab = "mine" | "stat" | "due" | "late" | "arriving" | "drafts" | "done";
/** Every tab has its count. */
export type MyList = Omit<Schemas["MyList"], "counts"> & { counts: Record<ListTab, number> };

export type Check = Schemas["Check"];
export type Rule = Check["rule"];
export type Outcome = Check["outcome"];
export type ReaderVerdict = Schemas["ReaderVerdict"];
export type CaseReaders = Schemas["Matrix"];

export type CaseDetail = Schemas["CaseDetail"];
export type CaseState = CaseDetail["state"];
export type ReadBrief = Schemas["ReadBrief"];
export type OrderBrief = CaseDetail["orders"][number];
export type StudyBrief = Schemas["StudyBrief"];
export type TransferLine = Schemas["TransferLine"];
export type NodeBrief = Schemas["NodeBrief"];
export type Echo = Schemas["Echo"];
export type HeldObject = Schemas["HeldBody"];
export type HeldDetail = Schemas["HeldDetail"];
export type HeldLine = Schemas["LineBody"];
export type QuarantineRoom = Schemas["Room"];
export type OtherPerson = Schemas["OtherPerson"];
export type PriorBrief = Schemas["PriorBrief"];
export type VersionBrief = Schemas["VersionBrief"];
export type DeliveryBrief = Schemas["DeliveryBrief"];
export type DeliveryState = DeliveryBrief["state"];
export type AlarmBrief = Schemas["AlarmBrief"];
export type Timeline = Schemas["Timeline"];

export type FieldValue = string | number | boolean | string[];
export type TemplateSection = Schemas["SectionOut"];
/** `normal` fits the field's type. */
export type TemplateField = Omit<Schemas["FieldOut"], "normal"> & { normal?: FieldValue | null };
export interface DraftContent {
  sections: Record<string, string>;
  fields: Record<string, FieldValue | null>;
}
export type Version = Schemas["VersionOut"];
type ServedWorkspace = Schemas["WorkspaceOut"];
export type Workspace = Omit<ServedWorkspace, "report" | "draft"> & {
  report: Omit<ServedWorkspace["report"], "template"> & {
    template: Omit<ServedWorkspace["report"]["template"], "fields"> & { fields: TemplateField[] };
  };
  draft: Omit<ServedWorkspace["draft"], "content"> & { content: DraftContent };
};
export type ReportCheck = Schemas["ProblemOut"];

export type Board = Schemas["Board"];
export type MatchCandidate = Schemas["Candidate"];

export type Site = Schemas["Site"];
export type SiteRow = Schemas["SiteRow"];
export type SiteFacility = Schemas["SiteFacility"];
export type SearchHit = Schemas["Found"];
export type MessageBrief = Schemas["MessageLine"];
export type MessagePage = Schemas["MessagePage"];
export type MessageFull = Schemas["MessageText"];
export type MessageSegment = Schemas["SegmentView"];
export type MessageFeed = Schemas["LogFeed"];
export type DestinationLine = Schemas["DestinationLine"];
export type Destination = Schemas["DestinationOut"];
export type Trial = Schemas["Trial"];
export type HiddenLine = Schemas["HiddenLine"];
export type StudyImages = Schemas["StudyImages"];
export type HiddenImages = StudyImages["hidden"][number];
export type ShownImage = Schemas["InstanceBody"];
export type RejectionKind = Schemas["Rejecting"]["kind"];
export type Deletions = Schemas["Deletions"];
export type Deletion = Deletions["deletions"][number];
export type Deletable = Deletion["study"];
export type StudyIdentity = Schemas["Identity"];
export type NamedByImages = StudyIdentity["images"][number];
export type CorrectionStep = StudyIdentity["steps"][number];
export type CorrectableAttribute = StudyIdentity["attributes"][number];
export type PatientHit = Schemas["PatientHit"];
export type PatientFile = Schemas["PatientPage"];
export type PatientReport = PatientFile["reports"][number];
export type PatientMerge = PatientFile["merges"][number];
export type KnownPatient = PatientFile["patient"];
export type CaseSiteReports = Schemas["CaseSiteReports"];
export type SiteReport = CaseSiteReports["own"][number];
export type SiteReportVersion = Schemas["TextOut"];
export type Discrepancy = CaseSiteReports["discrepancies"][number];
export type HeldReport = Schemas["HeldReportOut"];
export type ImagesSay = CaseDetail["disagreements"][number];

export type FeedDefaults = Schemas["FeedDefaults"];
export type MessagePreview = Schemas["MessagePreview"];
export type SeenValue = Schemas["SeenValue"];
export type SeenEffect = Schemas["SeenEffect"];
export type PatientDoubt = Schemas["DoubtOut"];
export type Question = Schemas["QuestionBody"];
export type QuestionLine = Schemas["QuestionLine"];
export type QuestionThread = Schemas["Thread"];
export type SubjectKind = QuestionLine["subject_kind"];
