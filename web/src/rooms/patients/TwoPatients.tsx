import type { ReactNode } from "react";
import type { PatientIdentity } from "../../kit";
import { sideBySide } from "./words";

/** Two patients, value by value; what differs is amber. */
export function TwoPatients({ one, other, heads, more = [] }: { one: PatientIdentity; other: PatientIdentity; heads: readonly [ReactNode, ReactNode]; more?: readonly (readonly [string, ReactNode, ReactNode])[] }) {
  return (
    <table className="two" aria-label="Both side by side">
      <thead>
        <tr>
          <th aria-label="What" />
          <th scope="col">{heads[0]}</th>
          <th scope="col">{heads[1]}</th>
        </tr>
      </thead>
      <tbody>
        {sideBySide(one, other).map(([label, values, differs]) => (
          <tr key={label}>
            <th scope="row" className="q">
              {label}
            </th>
            {values.map((value, index) => (
              <td key={index} className={`num${differs ? " amber" : ""}`}>
                {value}
                {differs && index === 1 && <span className="sr"> (differs)</span>}
              </td>
            ))}
          </tr>
        ))}
        {more.map(([label, first, second]) => (
          <tr key={label}>
            <th scope="row" className="q">
              {label}
            </th>
            <td className="num">{first}</td>
            <td className="num">{second}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
