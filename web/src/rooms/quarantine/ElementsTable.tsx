import type { HeldLine } from "../../api/types";
import { tagOf } from "./words";

/** Elements of a data set; `compared` shows the filed object's value beside this one's. */
export function ElementsTable({ lines, compared }: { lines: readonly HeldLine[]; compared?: boolean }) {
  return (
    <table className="qt-t">
      <thead>
        <tr>
          <th className="tg q">Tag</th>
          <th className="vr q">VR</th>
          <th className="nm q">Name</th>
          {compared && <th className="q">Filed</th>}
          <th className="q">{compared ? "This one" : "Value"}</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line, index) => (
          <tr key={index}>
            <td className="tg q" style={{ paddingLeft: line.depth * 10 }}>
              {tagOf(line.tag)}
            </td>
            <td className="vr q">{line.vr}</td>
            <td className="nm">{line.name}</td>
            {compared && <td>{line.filed ? line.filed : <span className="q">nothing</span>}</td>}
            <td className={compared ? "amber" : undefined}>{line.value ? line.value : <span className="q">nothing</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
