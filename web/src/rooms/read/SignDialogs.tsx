import { PasswordInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { ConfirmDialog, Note, ReasonDialog } from "../../kit";

/** Asked once a session: who signs is proved again, then signatures stand until the session ends. */
export function ProveDialog({ who, wrong, totp, words, onClose, onProof }: { who: string; wrong: boolean; totp: boolean; words: string; onClose: () => void; onProof: (proof: { password?: string; totp?: string }) => unknown }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  return (
    <ConfirmDialog opened title="Your signature" confirm={words} ready={totp ? code.length >= 6 : password.length > 0} onClose={onClose} onConfirm={() => onProof(totp ? { password: password || undefined, totp: code } : { password })} width={400}>
      <p>
        This is your first signature in this session. Signed as <b className="m">{who}</b>.
      </p>
      {wrong && (
        <div style={{ marginTop: 10 }}>
          <Note tone="red" role="alert">
            That is not right. Nothing was signed.
          </Note>
        </div>
      )}
      <PasswordInput label="Password" autoComplete="current-password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} data-autofocus mt={12} />
      {totp && <TextInput label="Code of your authenticator" inputMode="numeric" autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.currentTarget.value.trim())} mt={10} maxLength={8} />}
    </ConfirmDialog>
  );
}

export function NewImagesDialog({ onClose, onReason }: { onClose: () => void; onReason: (reason: string) => unknown }) {
  return (
    <ReasonDialog title="Images came after you opened this" confirm="Sign" usual={["I have looked at the new images", "The new images don't change the report"]} onClose={onClose} onReason={onReason}>
      <p>Look at them first; then say so, and the report is signed.</p>
    </ReasonDialog>
  );
}

/** A merge, or the site, changed who the patient is while the report was written. */
export function IdentityChangedDialog({ onClose, onReason }: { onClose: () => void; onReason: (reason: string) => unknown }) {
  return (
    <ReasonDialog title="Who the patient is changed" confirm="Sign all the same" danger usual={["Looked at again: it is this patient", "Confirmed with the site by phone"]} onClose={onClose} onReason={onReason}>
      <p>The site merged the patient with another, or changed the name, birth date or sex, after you opened this. Look at the patient's line, the priors and your words again before you sign.</p>
    </ReasonDialog>
  );
}

/** The images say otherwise than the order whom, or which side, they show: who signs says why. */
export function ImagesDisagreeDialog({ says, onClose, onReason }: { says: readonly string[]; onClose: () => void; onReason: (reason: string) => unknown }) {
  return (
    <ReasonDialog title="The images disagree with the order" confirm="Sign all the same" danger usual={["Confirmed with the site by phone", "Typed wrongly at the scanner: it is this patient"]} onClose={onClose} onReason={onReason}>
      {says.map((text) => (
        <p key={text} className="amber">
          {text}
        </p>
      ))}
      <p style={{ marginTop: 8 }}>Sign only if you know that the images are of this patient and this examination. Else go back, and ask the site.</p>
    </ReasonDialog>
  );
}
