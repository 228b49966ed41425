/** The viewer in our colours, without its own header: tools, series and measurements are in the page around it. */

const DARK = `--highlight:212 100% 65%;--neutral:214 14% 60%;--neutral-light:214 27% 87%;--neutral-dark:215 20% 18%;--background:0 0% 0%;--foreground:214 27% 87%;
--card:216 29% 10%;--card-foreground:214 27% 87%;--popover:216 29% 10%;--popover-foreground:214 27% 87%;--primary:212 100% 65%;--primary-foreground:211 76% 7%;
--secondary:213 53% 16%;--secondary-foreground:214 27% 87%;--muted:215 28% 13%;--muted-foreground:214 14% 60%;--accent:213 53% 16%;--accent-foreground:214 27% 87%;
--destructive:358 75% 59%;--destructive-foreground:0 0% 98%;--border:215 28% 17%;--input:214 18% 43%;--ring:212 100% 65%;--radius:.3rem;`;

const CSS = `
:root,.dark,[data-theme]{${DARK}}
html,body{background:#000!important}
body,button,input{font-family:"Inter Variable","Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif!important}
/* its header: ours stands above the frame */
#root [class*="h-[52px]"],#root [class*="h-[48px]"]:has([data-cy="return-to-work-list"]){display:none!important}
#root [style*="52px"]{height:100vh!important}
.overlay-top{top:.45rem!important}.overlay-bottom{bottom:.45rem!important}
[data-cy="viewport-pane"]{border-radius:0!important;margin:0!important;border-color:#1a222d!important}
.viewport-overlay{font-size:11px!important;line-height:15px!important;color:#c3ccd8!important;text-shadow:0 0 3px #000,0 0 2px #000}
.viewport-overlay .overlay-item span{font-weight:450!important}
.viewport-overlay [title="Patient"] span{font-weight:620!important}
.viewport-overlay [title="Prior"]{border:1px dashed #c3ccd8;border-radius:2px;padding:0 4px;margin-bottom:2px;width:max-content;margin-left:auto}
.viewport-overlay [title="Prior"] span{font-weight:660!important;letter-spacing:.06em;font-size:10px}
[data-cy="viewport-pane"].hg-prior::after{content:"";position:absolute;inset:1px;border:1px dashed #9aa7b8;pointer-events:none;z-index:5}
[data-cy="viewport-pane"].hg-prior.hg-active::after{border-color:#4ea1ff}
`;

export function dress(): void {
  const style = document.createElement("style");
  style.textContent = CSS;
  document.head.append(style);
}

interface OverlayProps {
  referenceInstance?: Record<string, unknown>;
  instance?: Record<string, unknown>;
  formatters: { formatDate: (date: unknown) => string };
}

const words = (value: unknown): string => {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return words(value[0]);
  if (typeof value === "object" && value !== null && "Alphabetic" in value) return words(value.Alphabetic);
  return value === undefined || value === null ? "" : String(value);
};

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** DA (PS3.5 6.2) "20261125" as "25 Nov 2026". */
export function dicomDate(value: unknown): string {
  const found = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(words(value));
  return found ? `${found[3]} ${MONTHS[Number(found[2]) - 1] ?? found[2]} ${found[1]}` : words(value);
}

/** TM "022200.000" as "02:22". */
export function dicomTime(value: unknown): string {
  const found = /^(\d{2}):?(\d{2})/.exec(words(value));
  return found ? `${found[1]}:${found[2]}` : "";
}

/** PN "Haugland^Ingrid Marie" as "HAUGLAND, Ingrid Marie". */
export function personName(value: unknown): string {
  const [family = "", given = "", middle = ""] = words(value).split("=")[0]?.split("^") ?? [];
  const rest = [given, middle].filter(Boolean).join(" ");
  return rest ? `${family.toUpperCase()}, ${rest}` : family.toUpperCase();
}

/** Corners of each viewport: two identifiers of the patient, as the image itself says them, and what the image is. */
export function overlays(isPrior: (studyUid: string) => boolean): Record<string, unknown> {
  const item = (id: string, title: string, contentF: (data: Record<string, unknown>, props: OverlayProps) => string) => ({
    id,
    inheritsFrom: "ohif.overlayItem",
    title,
    contentF: (props: OverlayProps) => (props.referenceInstance ? contentF(props.referenceInstance, props) : ""),
  });
  return {
    "viewportOverlay.topLeft": {
      $set: [
        item("HgPatient", "Patient", (data) => personName(data.PatientName)),
        item("HgIdentity", "Born, sex, identifier", (data) => [`${dicomDate(data.PatientBirthDate)} ${words(data.PatientSex)}`.trim(), words(data.PatientID)].filter(Boolean).join(" · ")),
      ],
    },
    "viewportOverlay.topRight": {
      $set: [
        item("HgPrior", "Prior", (data) => (isPrior(words(data.StudyInstanceUID)) ? "PRIOR" : "")),
        item("HgStudy", "Study", (data) => `${words(data.Modality)} ${dicomDate(data.StudyDate)} ${dicomTime(data.StudyTime)}`.trim()),
        item("HgSeries", "Series", (data) => [words(data.SeriesNumber), words(data.SeriesDescription)].filter(Boolean).join(". ")),
      ],
    },
  };
}
