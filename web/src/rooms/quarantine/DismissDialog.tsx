import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { api, url } from "../../api/client";
import { ReasonDialog } from "../../kit";

/** Takes an object off the list with a reason; where others are alike, all of them or this one alone. */
export function DismissDialog({ id, alike, onClose, onDone }: { id: string; alike: number; onClose: () => void; onDone: (count: number) => void }) {
  const [all, setAll] = useState(true);
  const many = alike > 1;
  return (
    <ReasonDialog
      title={many && all ? `Dismiss ${alike} objects` : "Dismiss this object"}
      confirm="Dismiss"
      danger
      usual={["Sent by mistake", "The first one is right", "Not an image of ours"]}
      onClose={onClose}
      onReason={async (reason) => {
        await api.post(url`/api/held-objects/${id}/dismiss`, { reason, all_alike: many && all });
        onDone(many && all ? alike : 1);
      }}
    >
      {many && (
        <SegmentedControl
          fullWidth
          mb={12}
          aria-label="What to dismiss"
          value={all ? "all" : "one"}
          onChange={(value) => setAll(value === "all")}
          data={[
            { value: "all", label: `All ${alike} that are alike` },
            { value: "one", label: "This one alone" },
          ]}
        />
      )}
      {many && all ? "All objects of this study that wait for the same reason leave this list and are not filed." : "It will not be filed and leaves this list."}
      {many && !all && " The others go on waiting."} The bytes and your reason are kept.
    </ReasonDialog>
  );
}
