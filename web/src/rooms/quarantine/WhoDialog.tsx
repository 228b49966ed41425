import { useQuery } from "@tanstack/react-query";
import { api, url } from "../../api/client";
import type { OtherPerson } from "../../api/types";
import { ConfirmDialog, ErrorState, plainDate, SkeletonText } from "../../kit";

const LINES = [
  ["Name", "name"],
  ["Born", "birth_date"],
  ["Sex", "sex"],
  ["Identifier", "identifier"],
  ["Assigned by", "authority"],
] as const;

/** Asks whether whom the images name and who is known under the identifier are one person, with both side by side. */
export function WhoDialog({ id, onClose, onSame }: { id: string; onClose: () => void; onSame: () => unknown }) {
  const found = useQuery({ queryKey: ["held", id, "other-person"], queryFn: ({ signal }) => api.get<OtherPerson>(url`/api/held-objects/${id}/other-person`, signal), staleTime: Infinity });
  return (
    <ConfirmDialog opened title="Another person is known under this identifier" confirm="It is the same person" ready={found.isSuccess} onClose={onClose} onConfirm={onSame} width={620}>
      The patient known under the new identifier has another name and another birth date than these images say. Accept only if you are sure that it is one person.
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : !found.data ? (
        <SkeletonText lines={5} />
      ) : (
        <table className="qt-who">
          <thead>
            <tr>
              <th aria-label="What" />
              <th scope="col" className="q">
                These images say
              </th>
              <th scope="col" className="q">
                Known here
              </th>
            </tr>
          </thead>
          <tbody>
            {LINES.map(([label, name]) => {
              const { told, known } = found.data;
              const differs = told[name] !== known[name];
              const shown = (value: string | null) => (value && name === "birth_date" ? plainDate(value) : value);
              return (
                <tr key={name}>
                  <th scope="row" className="q">
                    {label}
                  </th>
                  <Value differs={differs}>{shown(told[name])}</Value>
                  <Value differs={differs}>{shown(known[name])}</Value>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </ConfirmDialog>
  );
}

function Value({ differs, children }: { differs: boolean; children: string | null }) {
  return <td className={differs ? "amber" : undefined}>{children ? children : <span className="q">unknown</span>}</td>;
}
