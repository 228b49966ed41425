import { Textarea } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { Button, Note, UsualReasons } from "../../kit";

interface SayBoxProps {
  label: string;
  button: string;
  usual: readonly string[];
  primary?: boolean;
  focus?: boolean;
  onBack?: () => void;
  /** A refusal stays under the words, which are kept. */
  onSay: (words: string) => Promise<unknown>;
}

/** Words to a person, with what is often said to be taken with one click; Ctrl+Enter sends. No form of its own: it may stand inside one. */
export function SayBox({ label, button, usual, primary, focus, onBack, onSay }: SayBoxProps) {
  const [words, setWords] = useState("");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const box = useRef<HTMLTextAreaElement>(null);
  // Only where the person has just asked for the box.
  useEffect(() => {
    if (focus) box.current?.focus();
  }, [focus]);
  const ready = words.trim().length > 0 && !busy;
  const say = async () => {
    if (!ready) return;
    setBusy(true);
    setRefusal(null);
    try {
      await onSay(words.trim());
      setWords("");
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : "It was not sent. Try again.");
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="qn-say">
      <Textarea
        ref={box}
        label={label}
        value={words}
        autosize
        minRows={1}
        maxRows={6}
        maxLength={1000}
        onChange={(event) => setWords(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onBack?.();
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          event.stopPropagation();
          void say();
        }}
      />
      <UsualReasons reasons={usual} onTake={setWords} />
      {refusal && (
        <Note tone="red" role="alert">
          {refusal}
        </Note>
      )}
      <div className="row qn-end">
        {onBack && (
          <Button size="sm" look="quiet" onClick={onBack}>
            Not now
          </Button>
        )}
        <Button size="sm" look={primary ? "primary" : "default"} keyHint="Ctrl+Enter" busy={busy} disabled={!ready} onClick={() => void say()}>
          {button}
        </Button>
      </div>
    </div>
  );
}
