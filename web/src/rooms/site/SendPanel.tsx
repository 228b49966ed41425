import { Select } from "@mantine/core";
import { type DragEvent, useEffect, useRef, useState } from "react";
import { useSession } from "../../api/session";
import type { Site, SiteFacility } from "../../api/types";
import { Button, clock, Icon, IconButton, Note, Panel, span, useKeys, useNow } from "../../kit";
import { forget, send, sendAgain, type Sending, timeLeft, useSending } from "./sending";
import { filesOf, type Found, sortFiles } from "./upload";

export interface SendPanelProps {
  site: Site;
  facility: SiteFacility;
  onFacility: (id: string) => void;
  /** To whose order dropped documents would go. */
  target: { orderId: string; name: string } | null;
  onDocuments: (files: File[]) => void;
}

/** Images from a folder, files or a disc; requisitions go to the order that is chosen below. */
export function SendPanel({ site, facility, onFacility, target, onDocuments }: SendPanelProps) {
  const session = useSession();
  const going = useSending();
  const [over, setOver] = useState(false);
  const [looking, setLooking] = useState(false);
  const [documents, setDocuments] = useState<File[]>([]);
  const [word, setWord] = useState<string | null>(null);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  const take = async (found: readonly Found[]) => {
    setLooking(true);
    setWord(null);
    try {
      const sorted = await sortFiles(found);
      if (sorted.images.length) send(sorted.images, { slug: facility.organization_slug, facilityId: facility.id, csrf: session.csrf_token });
      if (sorted.documents.length) setDocuments((before) => [...before, ...sorted.documents]);
      if (sorted.others > 0) setWord(`${sorted.others === 1 ? "1 file is" : `${sorted.others} files are`} neither an image nor a document and stayed here.`);
      else if (sorted.images.length + sorted.documents.length === 0) setWord("There was nothing to send in it.");
    } catch {
      setWord("The files could not be read. Copy them to this computer and drop them again.");
    } finally {
      setLooking(false);
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void filesOf(event.dataTransfer.items, event.dataTransfer.files).then(take);
  };
  // A file dropped beside the area must not replace the page.
  useEffect(() => {
    const stop = (event: Event) => event.preventDefault();
    window.addEventListener("dragover", stop);
    window.addEventListener("drop", stop);
    return () => {
      window.removeEventListener("dragover", stop);
      window.removeEventListener("drop", stop);
    };
  }, []);
  useKeys("Site", [{ id: "site.send", keys: ["u"], label: "Choose images to send", run: () => files.current?.click() }]);
  const busy = going.some((one) => one.state === "sending");
  useEffect(() => {
    if (!busy) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [busy]);
  const chosen = (input: HTMLInputElement) => {
    const list = Array.from(input.files ?? [], (file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = "";
    void take(list);
  };

  return (
    <Panel
      className="up clip"
      title="Send images"
      end={
        <span className="sm q num">
          AE {site.node.ae_title}, {site.node.host}
          {site.node.port !== null && ` port ${site.node.port}`}
          {site.node.tls_port !== null && ` port ${site.node.tls_port} with TLS`}
        </span>
      }
    >
      <div className="upg">
        {/* Files can also be chosen with the buttons inside: the drop is for the mouse only. */}
        <div
          className={`drop${over ? " over" : ""}`}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={drop}
          role="group"
          aria-label="Drop images here"
        >
          <span className="acc">
            <Icon name="upload" size={22} />
          </span>
          <div>
            <b>{looking ? "Looking through the files" : over ? "Let go to send" : "Drop a folder, files or a disc here"}</b>
            <div className="q">
              or{" "}
              <button type="button" className="lnk" onClick={() => files.current?.click()}>
                choose files
              </button>{" "}
              or{" "}
              <button type="button" className="lnk" onClick={() => folder.current?.click()}>
                a folder
              </button>
              . DICOM is kept byte for byte. Requisitions as PDF or photo are welcome.
            </div>
          </div>
          <input ref={files} type="file" multiple hidden aria-label="Files to send" data-testid="send-files" onChange={(event) => chosen(event.currentTarget)} />
          <input ref={folder} type="file" hidden aria-label="Folder to send" {...{ webkitdirectory: "" }} onChange={(event) => chosen(event.currentTarget)} />
        </div>
        <div className="ups-c">
          {site.facilities.length > 1 && (
            <Select size="md" aria-label="Facility the images come from" value={facility.id} allowDeselect={false} data={site.facilities.map((one) => ({ value: one.id, label: one.name }))} onChange={(id) => id && onFacility(id)} />
          )}
          {going.length === 0 ? (
            <p className="q">
              From the modality: C-STORE to <span className="num m">{site.node.ae_title}</span>. What is on its way from here shows in this place.
            </p>
          ) : (
            <ul className="ups scroll" aria-live="polite">
              {going.map((one) => (
                <Line key={one.id} one={one} zone={facility.time_zone} />
              ))}
            </ul>
          )}
        </div>
      </div>
      {(documents.length > 0 || word) && (
        <div className="up-n">
          {word && (
            <Note action={<IconButton size="sm" icon="cross" label="Close" onClick={() => setWord(null)} />} role="status">
              {word}
            </Note>
          )}
          {documents.length > 0 && (
            <Note
              icon="document"
              role="status"
              action={
                <span className="row">
                  <Button
                    size="sm"
                    disabled={!target}
                    onClick={() => {
                      onDocuments(documents);
                      setDocuments([]);
                    }}
                  >
                    {target ? `Attach to ${target.name}` : "Attach"}
                  </Button>
                  <IconButton size="sm" icon="cross" label="Leave them" onClick={() => setDocuments([])} />
                </span>
              }
            >
              <b>{documents.length === 1 ? documents[0]?.name : `${documents.length} documents`}</b>: {target ? "belongs to the order that is chosen below?" : "choose the patient's line below, then attach."}
            </Note>
          )}
        </div>
      )}
    </Panel>
  );
}

function Line({ one, zone }: { one: Sending; zone: string }) {
  const now = useNow(1000);
  const left = timeLeft(one, now);
  const share = one.bytes ? Math.min(100, (one.sent / one.bytes) * 100) : 100;
  return (
    <li>
      <div className="row sp">
        <span className="grow">
          <b className="m">{one.label}</b>, {one.state === "sending" && one.files > 1 ? `${Math.floor((one.files * share) / 100)} of ${one.files} images` : one.files === 1 ? "1 image" : `${one.state === "partly" ? `${one.stored} of ` : ""}${one.files} images`}
        </span>
        {one.state === "sending" && <span className="num q nw">{share >= 100 ? "being stored" : left !== null ? `${span(left)} left` : `${Math.round(share)} %`}</span>}
        {one.state === "done" && (
          <span className="green nw row" style={{ gap: 4 }}>
            <Icon name="check" size={14} />
            Received {one.endedAt && clock(one.endedAt, zone)}
          </span>
        )}
        {(one.state === "failed" || one.state === "partly") && (
          <Button size="sm" onClick={() => sendAgain(one.id)}>
            Send again
          </Button>
        )}
        <IconButton size="sm" icon="cross" label={one.state === "sending" ? "Stop" : "Take off this list"} onClick={() => forget(one.id)} />
      </div>
      <div className={`pb2${one.state === "done" ? " ok" : one.state === "sending" ? "" : " bad"}`} role="progressbar" aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100} aria-label={one.label}>
        <i style={{ width: `${share}%` }} />
      </div>
      {one.trouble && (
        <div className={one.state === "failed" ? "red sm" : "amber sm"} role="alert">
          {one.trouble}
        </div>
      )}
    </li>
  );
}
