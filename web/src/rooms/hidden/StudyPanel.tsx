import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, queryClient, url } from "../../api/client";
import type { HiddenImages, StudyImages } from "../../api/types";
import { Button, Chip, dayClock, Empty, ErrorState, Facts, Panel, type Place, plainDate, ReasonDialog, SkeletonText, StateDot, toast, useKeys } from "../../kit";
import { HideDialog } from "./HideDialog";
import { hiddenBy, images, isInForce, kindWords } from "./words";

/** A study's images: what is hidden, what was, and what is shown. Looking is recorded. */
export function StudyPanel({ id, onClose, place }: { id: string; onClose: () => void; place: Place }) {
  const found = useQuery({ queryKey: ["hidden", id], queryFn: ({ signal }) => api.get<StudyImages>(url`/api/studies/${id}/hidden`, signal), staleTime: Infinity });
  const [hiding, setHiding] = useState<{ series?: string } | null>(null);
  const [restoring, setRestoring] = useState<HiddenImages | null>(null);
  const study = found.data;
  const again = () => queryClient.invalidateQueries({ queryKey: ["hidden"] });
  const canHide = study !== undefined && study.number_of_instances > 0;
  const now = study?.hidden.filter(isInForce) ?? [];
  const waits = now.some((one) => one.kind === "deletion");
  const newest = waits ? undefined : now[0];
  useKeys("Hidden images", [
    { id: "hidden.hide", keys: ["h"], label: "Hide images of the study", when: () => canHide, run: () => setHiding({}) },
    { id: "hidden.restore", keys: ["r"], label: "Restore what was hidden last", when: () => newest !== undefined, run: () => setRestoring(newest ?? null) },
  ]);
  const before = study?.hidden.filter((one) => !isInForce(one)) ?? [];
  return (
    <Panel
      className="clip"
      label="Study"
      title={study ? (study.description ?? "Study") : "Study"}
      end={
        <>
          <Button size="sm" disabled={!canHide} keyHint="h" onClick={() => setHiding({})}>
            Hide images
          </Button>
          <Button size="sm" look="quiet" keyHint="Escape" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : !study ? (
        <div style={{ padding: 12 }}>
          <SkeletonText lines={8} />
        </div>
      ) : (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard
        <div className="scroll hi-d" tabIndex={0} role="region" aria-label="Images of the study">
          <Facts
            facts={[
              ["Patient", `${(study.patient_name ?? "no name").replaceAll("^", " ").trim()}${study.patient_id ? `, ${study.patient_id}` : ""}`],
              ["Made", `${study.study_date ? plainDate(study.study_date) : "no date"}${study.facility_name ? `, ${study.facility_name}` : ""}`],
              ["Accession", study.accession ?? "none"],
              ["Study UID", <span key="uid" className="num">{study.study_instance_uid}</span>],
            ]}
          />
          <section>
            <h3 className="caps">Hidden now</h3>
            {now.length === 0 ? (
              <p className="quiet-line">Nothing of this study is hidden.</p>
            ) : (
              <ul className="hi-l" aria-label="Hidden now">
                {now.map((one) => (
                  <li key={one.id}>
                    <div className="grow">
                      <div className="row" style={{ gap: 8 }}>
                        <StateDot state={one.kind === "deletion" ? "bad" : "held"}>{kindWords(one.kind)}</StateDot>
                        <span className="num">{images(one.number_of_instances)}</span>
                      </div>
                      <p>{one.reason}</p>
                      <p className="q sm">
                        By {hiddenBy(one)}, {dayClock(one.made_at, place.zone)} {place.label}
                        {one.purge_at && <span className="amber"> · deleted for good {dayClock(one.purge_at, place.zone)}</span>}
                      </p>
                    </div>
                    {one.kind === "deletion" && (
                      <Chip tone="outline" title="Under Administration, Deletions. Until then nothing of the study can be restored">
                        only an administrator can undo this
                      </Chip>
                    )}
                    {!waits && (
                      <Button size="sm" icon="undo" onClick={() => setRestoring(one)}>
                        Restore
                      </Button>
                    )}
                  </li>
                ))}
              </ul>
            )}
          </section>
          <section>
            <h3 className="caps">Shown</h3>
            {study.series.length === 0 ? (
              <Empty title="No image of this study is shown" icon="eye">
                Readers and archives that ask us find nothing of it.
              </Empty>
            ) : (
              <table className="inset" aria-label="Series that are shown">
                <thead>
                  <tr>
                    <th style={{ width: 44 }}>No.</th>
                    <th>Series</th>
                    <th style={{ width: 76 }}>Modality</th>
                    <th style={{ width: 66 }} className="r">
                      Images
                    </th>
                    <th style={{ width: 74 }} />
                  </tr>
                </thead>
                <tbody>
                  {study.series.map((one) => (
                    <tr key={one.series_instance_uid}>
                      <td className="num q">{one.number ?? "–"}</td>
                      <td className="m">{one.description ?? "Series"}</td>
                      <td className="q">{one.modality ?? "–"}</td>
                      <td className="num r">{one.number_of_instances}</td>
                      <td className="r">
                        <Button size="sm" look="quiet" aria-label={`Hide series ${one.number ?? ""} ${one.description ?? ""}`} onClick={() => setHiding({ series: one.series_instance_uid })}>
                          Hide
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
          {before.length > 0 && (
            <section>
              <h3 className="caps">Before</h3>
              <ul className="hi-l" aria-label="Hidden before">
                {before.map((one) => (
                  <li key={one.id}>
                    <div className="grow">
                      <div>
                        {images(one.number_of_instances)}, {kindWords(one.kind).toLowerCase()}: {one.reason}
                      </div>
                      <p className="q sm">
                        {one.restored_at
                          ? `Restored by ${one.restored_by ?? "somebody"}, ${dayClock(one.restored_at, place.zone)} ${place.label}: ${one.restore_reason ?? ""}`
                          : `Deleted for good ${one.purged_at ? dayClock(one.purged_at, place.zone) : ""} ${place.label}`}
                      </p>
                    </div>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      )}
      {study && hiding && <HideDialog study={study} series={hiding.series} onClose={() => setHiding(null)} onDone={() => void again()} />}
      {restoring && (
        <ReasonDialog
          title={`Restore ${images(restoring.number_of_instances)}`}
          confirm="Restore"
          usual={["Rejected by mistake", "The site asked for it"]}
          onClose={() => setRestoring(null)}
          onReason={async (reason) => {
            await api.post(url`/api/rejections/${restoring.id}/restore`, { reason });
            toast({ tone: "done", text: "Shown again" });
            void again();
            setRestoring(null);
          }}
        >
          They are shown again to everybody who sees the study. {restoring.is_by_note && "The note that rejected them has no effect any more."}
        </ReasonDialog>
      )}
    </Panel>
  );
}
