import { Checkbox, Select, Textarea, TextInput } from "@mantine/core";
import { useRef, useState } from "react";
import { api, ApiError, queryClient, url } from "../../api/client";
import type { Priority, SiteFacility } from "../../api/types";
import { Button, Dialog, Icon, IconButton, Note, PRIORITIES, serverNow, toast, useKeys } from "../../kit";
import { emptyOrder, orderBody, type OrderForm, problemsOf, type ProcedureForm } from "./orderForm";

const MODALITIES = ["CT", "MR", "CR", "DX", "US", "MG", "NM", "PT", "XA", "RF"];
const SEXES = [
  { value: "F", label: "Female" },
  { value: "M", label: "Male" },
  { value: "O", label: "Other" },
];
const SIDES = [
  { value: "L", label: "Left" },
  { value: "R", label: "Right" },
  { value: "B", label: "Both" },
];

/** An order by hand, when the site's system is down or there is none; the HL7 order of the same patient and accession joins it. */
export function OrderDialog({ facilities, first, onClose }: { facilities: readonly SiteFacility[]; first: string; onClose: (orderId?: string) => void }) {
  const [form, setForm] = useState<OrderForm>(() => emptyOrder(first));
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [fromServer, setFromServer] = useState<Record<string, string>>({});
  const [samePerson, setSamePerson] = useState<"no" | "asked" | "confirmed">("no");
  const [files, setFiles] = useState<File[]>([]);
  const input = useRef<HTMLInputElement>(null);
  const problems: Record<string, string> = { ...fromServer, ...(tried ? problemsOf(form, serverNow()) : {}) };

  const set = (some: Partial<OrderForm>) => {
    setForm((before) => ({ ...before, ...some }));
    setFromServer({});
    if ("identifier" in some || "family_name" in some || "given_name" in some || "birth_date" in some) setSamePerson("no");
  };
  const field = (name: Exclude<keyof OrderForm, "procedures">) => ({ value: form[name], error: problems[name] ?? problems[`patient.${name}`], onChange: (event: { currentTarget: { value: string } }) => set({ [name]: event.currentTarget.value } as Partial<OrderForm>) });
  const setProcedure = (key: number, some: Partial<ProcedureForm>) => set({ procedures: form.procedures.map((one) => (one.key === key ? { ...one, ...some } : one)) });

  const save = async () => {
    setTried(true);
    setRefusal(null);
    if (Object.keys(problemsOf(form, serverNow())).length > 0 || samePerson === "asked") return;
    setBusy(true);
    try {
      const made = await api.post<{ id: string }>("/api/orders", orderBody(form, samePerson === "confirmed"));
      const failed: string[] = [];
      for (const file of files) {
        const body = new FormData();
        body.set("file", file);
        body.set("kind", "requisition");
        try {
          await api.upload(url`/api/orders/${made.id}/documents`, body);
        } catch {
          failed.push(file.name);
        }
      }
      void queryClient.invalidateQueries({ queryKey: ["site"] });
      if (failed.length) toast({ tone: "warn", text: `The order is entered; not attached: ${failed.join(", ")}. Only PDF, PNG and JPEG to 25 MB.` });
      else toast({ tone: "done", text: "The order is entered" });
      onClose(made.id);
    } catch (error) {
      if (error instanceof ApiError && error.code === "patient-differs") setSamePerson("asked");
      if (error instanceof ApiError && Array.isArray(error.problem.problems)) {
        setFromServer(Object.fromEntries(error.problem.problems.flatMap((one: unknown) => (typeof one === "object" && one !== null && "field" in one && "text" in one ? [[String(one.field), String(one.text)]] : []))));
      }
      setRefusal(error instanceof Error ? error.message : "The order was not entered");
    } finally {
      setBusy(false);
    }
  };

  useKeys("Order", [{ id: "dialog.order.save", keys: ["Ctrl+Enter"], label: "Enter the order", inFields: true, when: () => !busy, run: () => void save() }]);
  return (
    <Dialog
      opened
      title="Order by hand"
      width={760}
      onClose={() => onClose()}
      foot={
        <>
          <Button onClick={() => onClose()}>Back</Button>
          <Button look="primary" busy={busy} keyHint="Ctrl+Enter" onClick={() => void save()}>
            Enter the order
          </Button>
        </>
      }
    >
      <form
        className="of"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <h3>Patient</h3>
        <div className="of-g c4">
          <TextInput label="Identifier" required data-autofocus placeholder="As on the wristband" autoComplete="off" {...field("identifier")} />
          <TextInput label="Authority" placeholder="Your own" autoComplete="off" {...field("authority")} />
          <TextInput label="Birth date" placeholder="14 Mar 1958" autoComplete="off" {...field("birth_date")} />
          <Select label="Sex" placeholder="Not said" data={SEXES} value={form.sex || null} clearable error={problems["patient.sex"]} onChange={(sex) => set({ sex: sex ?? "" })} />
        </div>
        <div className="of-g c2">
          <TextInput label="Family name" required autoComplete="off" {...field("family_name")} />
          <TextInput label="Given names" autoComplete="off" {...field("given_name")} />
        </div>
        <h3>Order</h3>
        <div className="of-g c4">
          {facilities.length > 1 ? (
            <Select label="Facility" data={facilities.map((one) => ({ value: one.id, label: one.short_name }))} value={form.facility_id} allowDeselect={false} error={problems.facility_id} onChange={(id) => id && set({ facility_id: id })} />
          ) : (
            <TextInput label="Facility" value={facilities[0]?.short_name ?? ""} readOnly />
          )}
          <Select label="Priority" data={Object.entries(PRIORITIES).map(([value, { label }]) => ({ value, label }))} value={form.priority} allowDeselect={false} error={problems.priority} onChange={(priority) => priority && set({ priority: priority as Priority })} />
          <TextInput label="Accession" placeholder="As in the images" autoComplete="off" {...field("accession")} />
          <TextInput label="Referrer" autoComplete="off" {...field("referrer_name")} />
        </div>
        <div className="of-g c31">
          <Textarea label="Question, indication" {...field("indication")} maxLength={4000} />
          <TextInput label="Referrer's telephone" autoComplete="off" {...field("referrer_phone")} />
        </div>
        <h3>What is to be read</h3>
        {form.procedures.map((procedure, index) => (
          <div className="of-g proc" key={procedure.key}>
            <TextInput aria-label="Examination" placeholder="CT head, no contrast" value={procedure.description} error={problems[`procedures.${index}.description`]} onChange={(event) => setProcedure(procedure.key, { description: event.currentTarget.value })} />
            <Select aria-label="Modality" placeholder="Modality" data={MODALITIES} value={procedure.modality || null} clearable onChange={(modality) => setProcedure(procedure.key, { modality: modality ?? "" })} />
            <Select aria-label="Side" placeholder="Side" data={SIDES} value={procedure.laterality || null} clearable onChange={(laterality) => setProcedure(procedure.key, { laterality: laterality ?? "" })} />
            <IconButton icon="cross" label="Take this away" disabled={form.procedures.length === 1} onClick={() => set({ procedures: form.procedures.filter((one) => one.key !== procedure.key) })} />
          </div>
        ))}
        <div className="row">
          <Button size="sm" icon="plus" disabled={form.procedures.length >= 20} onClick={() => set({ procedures: [...form.procedures, { key: Math.max(...form.procedures.map((one) => one.key)) + 1, description: "", modality: "", laterality: "" }] })}>
            Another examination
          </Button>
          <Button size="sm" icon="document" onClick={() => input.current?.click()}>
            Requisition
          </Button>
          <input
            ref={input}
            type="file"
            hidden
            multiple
            accept=".pdf,.png,.jpg,.jpeg"
            aria-label="Requisition files"
            onChange={(event) => {
              const picked = Array.from(event.currentTarget.files ?? []);
              event.currentTarget.value = "";
              setFiles((before) => [...before, ...picked]);
            }}
          />
          {files.map((file) => (
            <span className="chip" key={file.name + file.size}>
              {file.name}
              <button type="button" className="lnk" aria-label={`Leave ${file.name}`} onClick={() => setFiles((before) => before.filter((one) => one !== file))}>
                <Icon name="cross" size={11} />
              </button>
            </span>
          ))}
        </div>
        {refusal && (
          <Note tone={samePerson === "no" ? "red" : "amber"} role="alert">
            {refusal}
            {samePerson !== "no" && (
              <Checkbox mt={8} label="I checked: it is the same person" checked={samePerson === "confirmed"} onChange={(event) => setSamePerson(event.currentTarget.checked ? "confirmed" : "asked")} />
            )}
          </Note>
        )}
      </form>
    </Dialog>
  );
}
