import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { api } from "../../api/client";
import { useSession } from "../../api/session";
import type { SearchHit } from "../../api/types";
import { Icon } from "../../kit/Icon";
import { useKeys } from "../../kit/keys";
import { useNow } from "../../kit/now";
import { patientName } from "../../kit/patient";
import { near } from "../../kit/time";

/** Finds a patient, accession or person from anywhere ("/"). What is typed is sent, never put in an address of a page. */
export function SearchBox() {
  const session = useSession();
  const navigate = useNavigate();
  const now = useNow();
  const field = useRef<HTMLInputElement>(null);
  const list = useId();
  const [words, setWords] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const [asked] = useDebouncedValue(words.trim(), 180);
  useKeys("Everywhere", [
    { id: "app.search", keys: ["/"], label: "Search", run: () => field.current?.focus() },
    { id: "app.search.ctrl", keys: ["Ctrl+k"], label: "Search, also from a field", inFields: true, run: () => field.current?.focus() },
  ]);
  const found = useQuery({
    queryKey: ["search", asked],
    queryFn: () => api.post<SearchHit[]>("/api/search", { words: asked }),
    enabled: asked.length >= 2,
    gcTime: 60_000,
    placeholderData: (before) => before,
  });
  const hits = asked.length >= 2 ? (found.data ?? []).slice(0, 12) : [];
  const shown = open && words.trim().length >= 2;

  const choose = (hit: SearchHit | undefined) => {
    if (!hit) return;
    setOpen(false);
    setWords("");
    field.current?.blur();
    if (hit.case_id && (session.rooms.includes("case") || session.rooms.includes("board") || session.rooms.includes("list"))) void navigate(`/case/${hit.case_id}`);
    else if (session.rooms.includes("site")) void navigate(`/site?${new URLSearchParams(hit.case_id ? { case: hit.case_id } : { order: hit.order_id ?? "" }).toString()}`);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (hits.length) setAt((before) => (before + (event.key === "ArrowDown" ? 1 : hits.length - 1)) % hits.length);
    } else if (event.key === "Enter") choose(hits[at]);
    else if (event.key === "Escape") {
      setOpen(false);
      setWords("");
      field.current?.blur();
    }
  };
  return (
    <div className="find" style={{ position: "relative" }}>
      <Icon name="search" size={14} />
      <input
        ref={field}
        type="search"
        role="combobox"
        aria-label="Search for a patient, accession or person"
        aria-expanded={shown}
        aria-controls={list}
        aria-activedescendant={shown && hits.length ? `${list}-${at}` : undefined}
        placeholder="Patient, accession, person"
        autoComplete="off"
        spellCheck={false}
        value={words}
        onChange={(event) => {
          setWords(event.target.value);
          setAt(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <kbd>/</kbd>
      {shown && (
        <div className="menu found" role="listbox" id={list} aria-label="Found">
          {hits.map((hit, index) => (
            <div
              key={`${hit.case_id}${hit.study_id}${hit.order_id}`}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              className={`it${index === at ? " on" : ""}`}
              onPointerEnter={() => setAt(index)}
              // Before the field loses the focus and closes the list.
              onPointerDown={(event) => {
                event.preventDefault();
                choose(hit);
              }}
            >
              <span className="m">{hit.patient ? patientName(hit.patient) : "No patient yet"}</span>
              <span className="q grow">
                {hit.exam}, {hit.state}
              </span>
              <span className="q num">{hit.when && near(hit.when, session.user.time_zone, now)}</span>
            </div>
          ))}
          {hits.length === 0 && (
            <div className="it q">{found.isError ? "The search did not answer. Try again." : found.isFetching || asked !== words.trim() ? "Searching" : "Nothing found that you may see"}</div>
          )}
        </div>
      )}
    </div>
  );
}
