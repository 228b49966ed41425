import { Modal, VisuallyHidden } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { Button } from "./Button";
import { listKeys, useKeys } from "./keys";
import { Kbd } from "./Kbd";
import { Note } from "./bits";

export interface DialogProps {
  opened: boolean;
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at the bottom, right aligned. */
  foot?: ReactNode;
  width?: number | string;
}

export function Dialog({ opened, title, onClose, children, foot, width = 440 }: DialogProps) {
  return (
    <Modal.Root opened={opened} onClose={onClose} size={width} centered transitionProps={{ duration: 90 }}>
      <Modal.Overlay color="var(--scrim)" backgroundOpacity={1} />
      <Modal.Content>
        <div className="ph dlg-h">
          <Modal.Title component="h2">{title}</Modal.Title>
          <span className="end">
            <button type="button" className="btn btn-q btn-sm" onClick={onClose}>
              <VisuallyHidden>Close </VisuallyHidden>
              <kbd>Esc</kbd>
            </button>
          </span>
        </div>
        <div className="dlg-b">{children}</div>
        {foot && <div className="dlg-f">{foot}</div>}
      </Modal.Content>
    </Modal.Root>
  );
}

export interface ConfirmDialogProps extends Omit<DialogProps, "foot"> {
  confirm: string;
  cancel?: string;
  danger?: boolean;
  /** Off while something is missing. */
  ready?: boolean;
  /** A refusal is shown in the dialog, which stays open; on success the caller closes it. */
  onConfirm: () => unknown;
}

/** Only for what can't be undone; else do it and offer undo (`toast`). */
export function ConfirmDialog({ confirm, cancel = "Back", danger, ready = true, onConfirm, children, ...dialog }: ConfirmDialogProps) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const go = async () => {
    setBusy(true);
    setRefusal(null);
    try {
      await onConfirm();
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : "This was not done");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog {...dialog}>
      <form
        id="confirm"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) void go();
        }}
      >
        {children}
        {refusal && (
          <div style={{ marginTop: 12 }}>
            <Note tone="red" role="alert">
              {refusal}
            </Note>
          </div>
        )}
        <div className="dlg-f in-form">
          <Button onClick={dialog.onClose}>{cancel}</Button>
          <Button type="submit" look={danger ? "danger-solid" : "primary"} keyHint="Enter" disabled={!ready} busy={busy}>
            {confirm}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The overlay of `?`: every key that works here and now. */
export function KeysHelp() {
  const [opened, setOpened] = useState(false);
  useKeys("Everywhere", [{ id: "app.keys", keys: ["?"], label: "All keys", run: () => setOpened(true) }]);
  return (
    <Dialog opened={opened} onClose={() => setOpened(false)} title="Keys" width={720}>
      <KeysList />
    </Dialog>
  );
}

export function KeysList() {
  return (
    <div className="keys">
      {listKeys().map((scope) => (
        <section key={scope.scope}>
          <div className="caps">{scope.scope}</div>
          <ul>
            {scope.actions.map((action) => (
              <li key={action.id}>
                <span>{action.label}</span>
                <span className="row" style={{ gap: 4 }}>
                  {action.keys.map((key) => (
                    <Kbd key={key} k={key} />
                  ))}
                </span>
              </li>
            ))}
          </ul>
        </section>
      ))}
      <p className="q sm">Single letters never fire while you type in a field.</p>
    </div>
  );
}
