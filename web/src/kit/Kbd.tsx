import { keycaps } from "./keys";

/** A key as keycaps: "Ctrl+Enter" in one cap, "g l" in two. */
export function Kbd({ k }: { k: string }) {
  return (
    <>
      {k.split(" ").map((step) => (
        <kbd key={step}>{keycaps(step).join(" ")}</kbd>
      ))}
    </>
  );
}
