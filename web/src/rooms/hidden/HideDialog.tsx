import { SegmentedControl, Select, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { RejectionKind, ShownImage, StudyImages } from "../../api/types";
import { ConfirmDialog, toast, UsualReasons } from "../../kit";
import { images, KINDS, namedImages, numbersIn } from "./words";

type Scope = "study" | "series" | "images";

const USUAL: Record<RejectionKind, string[]> = {
  quality: ["Motion", "Wrong protocol", "Repeated"],
  safety: ["Wrong side marker", "Another patient's images", "Wrong body part"],
  worklist: ["Wrong worklist entry was chosen"],
  retention: ["Its time of keeping is over"],
};

function seriesName(one: StudyImages["series"][number]): string {
  return [one.number === null ? null : `${one.number}`, one.description ?? "Series", one.modality, images(one.number_of_instances)].filter(Boolean).join(" · ");
}

/** Hides the study, a series or some images, for a reason. Mount it when it is to be open. */
export function HideDialog({ study, series: first, onClose, onDone }: { study: StudyImages; series?: string; onClose: () => void; onDone: () => void }) {
  const [scope, setScope] = useState<Scope>(first ? "series" : "study");
  const [series, setSeries] = useState<string | null>(first ?? study.series[0]?.series_instance_uid ?? null);
  const [numbers, setNumbers] = useState("");
  const [kind, setKind] = useState<RejectionKind>("quality");
  const [reason, setReason] = useState("");
  const list = useQuery({
    queryKey: ["hidden", study.study_id, "instances", series],
    queryFn: ({ signal }) => api.get<ShownImage[]>(url`/api/studies/${study.study_id}/instances?series=${series ?? ""}`, signal),
    enabled: scope === "images" && series !== null,
  });
  const named = namedImages(list.data ?? [], numbers);
  const chosen = study.series.find((one) => one.series_instance_uid === series);
  const count = scope === "study" ? study.number_of_instances : scope === "series" ? (chosen?.number_of_instances ?? 0) : named.length;
  const wrong = numbers.trim() !== "" && numbersIn(numbers) === null ? "Numbers and ranges, as 3, 7-12" : numbers.trim() !== "" && list.data && named.length === 0 ? "No image of this series has such a number" : undefined;
  return (
    <ConfirmDialog
      opened
      title="Hide images"
      confirm={count > 0 ? `Hide ${images(count)}` : "Hide"}
      danger
      ready={count > 0 && wrong === undefined && reason.trim().length > 2}
      width={520}
      onClose={onClose}
      onConfirm={async () => {
        const body = {
          kind,
          reason: reason.trim(),
          ...(scope === "study" ? {} : { series_instance_uid: series }),
          ...(scope === "images" ? { sop_instance_uids: named.map((one) => one.sop_instance_uid) } : {}),
        };
        await api.post(url`/api/studies/${study.study_id}/reject`, body);
        toast({ tone: "done", text: `${images(count)} hidden. They can be restored here` });
        onDone();
        onClose();
      }}
    >
      <p className="q" style={{ marginBottom: 12 }}>
        They leave every list, viewer and archive that asks us, within half a minute. Nothing is deleted.
      </p>
      <div className="hi-f">
        <SegmentedControl
          fullWidth
          aria-label="What to hide"
          value={scope}
          onChange={(value) => setScope(value as Scope)}
          data={[
            { value: "study", label: "The whole study" },
            { value: "series", label: "A series" },
            { value: "images", label: "Single images" },
          ]}
        />
        {scope !== "study" && <Select label="Series" required data={study.series.map((one) => ({ value: one.series_instance_uid, label: seriesName(one) }))} value={series} allowDeselect={false} onChange={setSeries} />}
        {scope === "images" && (
          <TextInput
            label="Image numbers"
            required
            description={list.isError ? "The images of this series could not be listed" : list.data ? `${images(list.data.length)} in this series; ${named.length} chosen` : "…"}
            inputWrapperOrder={["label", "input", "description", "error"]}
            placeholder="3, 7-12"
            value={numbers}
            error={wrong}
            onChange={(event) => setNumbers(event.currentTarget.value)}
          />
        )}
        <Select label="Why" required data={Object.entries(KINDS).map(([value, label]) => ({ value, label }))} value={kind} allowDeselect={false} onChange={(value) => setKind((value ?? "quality") as RejectionKind)} />
        <div>
          <Textarea label="Reason, kept in the record" required value={reason} maxLength={500} data-autofocus onChange={(event) => setReason(event.currentTarget.value)} />
          <UsualReasons reasons={USUAL[kind]} onTake={setReason} />
        </div>
      </div>
    </ConfirmDialog>
  );
}
