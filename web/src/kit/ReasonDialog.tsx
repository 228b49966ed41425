import { Textarea } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { ConfirmDialog } from "./dialog";

export interface ReasonDialogProps {
  title: string;
  confirm: string;
  /** What it is about and what will happen. */
  children?: ReactNode;
  /** Reasons that are often true, to be taken with one click and changed. */
  usual?: readonly string[];
  label?: string;
  danger?: boolean;
  onClose: () => void;
  /** A refusal stays in the dialog. */
  onReason: (reason: string) => unknown;
}

/** Asks for the reason that the record keeps. Mount it when it is to be open: it begins empty each time. */
export function ReasonDialog({ title, confirm, children, usual = [], label = "Reason, kept in the record", danger, onClose, onReason }: ReasonDialogProps) {
  const [reason, setReason] = useState("");
  return (
    <ConfirmDialog opened title={title} confirm={confirm} danger={danger} ready={reason.trim().length > 2} onClose={onClose} onConfirm={() => onReason(reason.trim())} width={480}>
      {children}
      <Textarea label={label} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus maxLength={500} mt={children ? 12 : 0} />
      <UsualReasons reasons={usual} onTake={setReason} />
    </ConfirmDialog>
  );
}

export function UsualReasons({ reasons, onTake }: { reasons: readonly string[]; onTake: (reason: string) => void }) {
  if (reasons.length === 0) return null;
  return (
    <div className="usual">
      {reasons.map((reason) => (
        <button type="button" className="btn btn-q btn-sm" key={reason} onClick={() => onTake(reason)}>
          {reason}
        </button>
      ))}
    </div>
  );
}
