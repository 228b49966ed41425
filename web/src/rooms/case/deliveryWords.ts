/** What the deliveries of a case say, as pure functions. */
import type { components } from "../../api/schema";

export type CaseDeliveries = components["schemas"]["CaseDeliveries"];
export type DeliveryLine = components["schemas"]["DeliveryLine"];
export type Way = components["schemas"]["NewTelling"]["way"];

const CHANNELS: Record<string, string> = {
  hl7: "HL7",
  archive: "PDF in our archive",
  page: "Site's page",
  dicom: "DICOM",
  email: "E-mail notice",
  webhook: "Webhook",
  folder: "Folder",
  sftp: "SFTP",
};
export const WAYS: Record<Way, string> = { phone: "Phone", fax: "Fax", print: "Print" };

export function channelWords(channel: string): string {
  return CHANNELS[channel] ?? channel;
}

export type Dot = "ready" | "reading" | "done" | "held" | "draft" | "bad";

/** The dot and the word of a delivery's state. */
export function stateOf(one: Pick<DeliveryLine, "state" | "attempts" | "channel">): [Dot, string] {
  switch (one.state) {
    case "acknowledged":
      return ["done", "Acknowledged"];
    case "held":
      return ["held", "Held"];
    case "failed":
      return ["bad", "Can't be sent"];
    case "cancelled":
      return ["draft", "Cancelled"];
    case "sent":
      return ["reading", one.channel === "page" ? "On the page" : "Sent"];
    default:
      return ["ready", one.attempts > 0 ? "To be tried again" : "Queued"];
  }
}

export type Step = "retry" | "send-anew" | "hold" | "cancel";

/** What a coordinator can do with a delivery now; the server decides again. */
export function stepsFor(one: Pick<DeliveryLine, "state" | "channel" | "hold_reason" | "attempts">): Step[] {
  if (one.channel === "page") return one.state === "sent" || one.state === "held" ? ["cancel"] : [];
  switch (one.state) {
    case "queued":
      return one.attempts > 0 ? ["retry", "send-anew", "hold", "cancel"] : ["hold", "cancel"];
    case "sent":
      return ["hold", "cancel"];
    case "held":
    case "failed":
      return ["retry", "send-anew", "cancel"];
    default:
      return ["send-anew"];
  }
}

const OUTCOMES: Record<string, string> = {
  acknowledged: "Acknowledged",
  stored: "Stored",
  refused_AE: "Answered with an error",
  refused_AR: "Refused",
  no_answer: "No answer",
  not_connected: "Not reached",
  wrong_acknowledgement: "The answer was for another message",
  not_stored: "Not stored",
};

/** One try in words. */
export function tryWords(outcome: string, detail: string | null): string {
  const said = OUTCOMES[outcome] ?? outcome.replaceAll("_", " ");
  return detail ? `${said}. ${detail}` : said;
}

/** "v2", or what is withdrawn. */
export function versionWords(one: Pick<DeliveryLine, "version_number" | "is_withdrawal">): string {
  return one.is_withdrawal ? `v${one.version_number} withdrawn` : `v${one.version_number}`;
}
