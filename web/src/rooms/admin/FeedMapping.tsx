import { Switch, TagsInput, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { FeedDefaults } from "../../api/types";
import { Button, Chip, ErrorState, Note, SkeletonRows, toast, useKeys } from "../../kit";
import { renew } from "./data";
import { type Draft, draftOf, isDefault, type Mapping, mappingOf, type Row } from "./feeds";
import { refusalOf } from "./RecordDialog";
import type { Endpoint } from "./types";

/** Where each value of an order stands in the feed's messages: the defaults, and what this sender does otherwise. */
export function FeedMapping({ feed }: { feed: Endpoint }) {
  const defaults = useQuery({ queryKey: ["admin", "feed-defaults"], queryFn: ({ signal }) => api.get<FeedDefaults>("/api/admin/feed-defaults", signal), staleTime: Number.POSITIVE_INFINITY });
  if (defaults.isError) return <ErrorState error={defaults.error} retry={() => void defaults.refetch()} />;
  if (!defaults.data) return <SkeletonRows rows={10} />;
  return <Form feed={feed} defaults={defaults.data} />;
}

function Form({ feed, defaults }: { feed: Endpoint; defaults: FeedDefaults }) {
  const [before] = useState<Draft>(() => draftOf(feed.mapping as Mapping, defaults));
  const [draft, setDraft] = useState<Draft>(before);
  const [told, setTold] = useState<Record<string, string>>({});
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const changed = JSON.stringify(draft) !== JSON.stringify(before);
  const problems = { ...told, ...mappingOf(draft).problems };
  const set = (change: Partial<Draft>) => {
    setDraft((now) => ({ ...now, ...change }));
    setTold({});
    setRefusal(null);
  };
  const setRow = (name: string, change: Partial<Row>) => set({ rows: draft.rows.map((row) => (row.name === name ? { ...row, ...change } : row)) });
  const save = async () => {
    const { mapping, problems: wrong } = mappingOf(draft);
    if (busy || Object.keys(wrong).length > 0) {
      setRefusal("Not saved. See what is marked.");
      return;
    }
    setBusy(true);
    try {
      await api.patch(url`/api/admin/endpoints/${feed.id}`, { mapping });
      renew("endpoints");
      toast({ tone: "done", text: "Saved. The next message is read so" });
    } catch (error) {
      const found = refusalOf(error, [{ name: "mapping" }]);
      const problem = error as { problem?: { problems?: { field?: string; text?: string }[] } };
      setTold(Object.fromEntries((problem.problem?.problems ?? []).map((one) => [(one.field ?? "").replace("mapping.", ""), one.text ?? ""])));
      setRefusal(found.words);
    } finally {
      setBusy(false);
    }
  };
  useKeys("Feed", [{ id: "feed.save", keys: ["Ctrl+Enter"], label: "Save where values stand", inFields: true, when: () => changed, run: () => void save() }]);
  const labels = Object.fromEntries(defaults.values.map((value) => [value.name, value]));
  return (
    <div className="fd-m">
      <div className="scroll">
        <p className="q fd-p">
          A place is <code>OBR-18</code>, <code>IPC-1.1</code> or <code>PID-3[2].4</code>; <code>OBX(110180)-5</code> is the OBX that is named so. Places are looked at in order, and the first that holds something is taken.
        </p>
        <table className="fd-t">
          <thead>
            <tr>
              <th>Value</th>
              <th>Stands in</th>
              <th>Only where none of these does</th>
              <th>Must agree</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {draft.rows.map((row) => {
              const value = labels[row.name];
              const usual = isDefault(row, defaults);
              const name = value?.label ?? row.name;
              return (
                <tr key={row.name}>
                  <th scope="row">
                    {name}
                    {!usual && (
                      <>
                        {" "}
                        <Chip tone="accent">its own</Chip>
                      </>
                    )}
                    <div className="q sm">{value?.why}</div>
                  </th>
                  <td>
                    <TagsInput aria-label={`${name}: stands in`} value={row.paths} splitChars={[",", " "]} acceptValueOnBlur error={problems[row.name]} onChange={(paths) => setRow(row.name, { paths })} />
                  </td>
                  <td>
                    <TagsInput aria-label={`${name}: only where none of these does`} value={row.otherwise} splitChars={[",", " "]} acceptValueOnBlur onChange={(otherwise) => setRow(row.name, { otherwise })} />
                  </td>
                  <td>{row.name === "patient_id" ? null : <Switch aria-label={`${name}: two places that differ are refused`} checked={row.agree} onChange={(event) => setRow(row.name, { agree: event.currentTarget.checked })} />}</td>
                  <td>
                    {!usual && (
                      <Button size="sm" look="quiet" aria-label={`${name}: as usual`} onClick={() => setRow(row.name, { paths: value?.paths ?? [], otherwise: value?.otherwise ?? [], agree: value?.agree ?? false })}>
                        As usual
                      </Button>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
        <div className="fd-c2">
          <Textarea label="Its codes of priority" description={`One a line, as E = STAT. They may mean ${Object.keys(defaults.priorities).join(", ")}`} autosize minRows={3} value={draft.priorities} error={problems.priorities} onChange={(event) => set({ priorities: event.currentTarget.value })} />
          <Textarea label="Its codes of modality" description="One a line, as MAMMO = MG. Codes of DICOM and of HL7 table 0074 are known" autosize minRows={3} value={draft.modalities} error={problems.modalities} onChange={(event) => set({ modalities: event.currentTarget.value })} />
          <TagsInput label="Types of the patient's identifier" description="Of HL7 table 0203, the preferred first" value={draft.types} splitChars={[",", " "]} acceptValueOnBlur error={problems["patient_id.types"]} onChange={(types) => set({ types })} />
          <TagsInput label="Authorities of the patient's identifier" description="Empty: the facility's own" value={draft.authorities} splitChars={[","]} acceptValueOnBlur error={problems["patient_id.authorities"]} onChange={(authorities) => set({ authorities })} />
        </div>
      </div>
      <div className="fd-f">
        {refusal ? (
          <Note tone="red" role="alert">
            {refusal}
          </Note>
        ) : (
          <span className="q">Try a message after saving: Paste a message shows how it is read.</span>
        )}
        <span className="grow" />
        <Button disabled={!changed} onClick={() => set(before)}>
          Take back
        </Button>
        <Button look="primary" keyHint="Ctrl+Enter" disabled={!changed} busy={busy} onClick={() => void save()}>
          Save
        </Button>
      </div>
    </div>
  );
}
