import type { ViewerPreset } from "./protocol";

const HEAD: ViewerPreset[] = [
  { name: "Brain", width: 80, level: 40 },
  { name: "Subdural", width: 200, level: 75 },
  { name: "Stroke", width: 40, level: 40 },
  { name: "Bone", width: 2500, level: 480 },
];

const BODY: ViewerPreset[] = [
  { name: "Soft tissue", width: 400, level: 40 },
  { name: "Lung", width: 1500, level: -600 },
  { name: "Liver", width: 150, level: 90 },
  { name: "Bone", width: 2500, level: 480 },
];

/** Windows in HU on keys 1 to 4; other modalities have none, their own numbers mean nothing absolute. */
export function presetsFor(modality: string, examClass: string | null): ViewerPreset[] {
  if (modality !== "CT") return [];
  return /head|brain|neck|orbit|sinus|face/.test(examClass ?? "") ? HEAD : BODY;
}
