import { Avatar, clock, Empty, HOUR, LoadMeter, MINUTE, ms, near, Panel, useNow } from "../../kit";
import { type BoardCase, type BoardReader, isOn } from "./words";

/** Who reads now and who comes next, with the load over all their groups. */
export function WhoIsOn({ readers, cases }: { readers: readonly BoardReader[]; cases: readonly BoardCase[] }) {
  const now = useNow(MINUTE);
  const begin = (reader: BoardReader) => (reader.shift_starts_at ? ms(reader.shift_starts_at) : 0);
  const sorted = [...readers].sort((a, b) => Number(isOn(b, now)) - Number(isOn(a, now)) || (isOn(a, now) ? b.open / b.capacity - a.open / a.capacity : begin(a) - begin(b)) || a.name.localeCompare(b.name));
  const on = sorted.filter((reader) => isOn(reader, now));
  const taken = on.reduce((sum, reader) => sum + reader.open, 0);
  const places = on.reduce((sum, reader) => sum + reader.capacity, 0);
  const working = (id: string) => cases.filter((item) => item.reader?.id === id && item.state === "reading").length;
  return (
    <Panel className="on clip" title="Who is on" count={`${on.length} on, ${sorted.length - on.length} next`} end={places > 0 && <span className="sm q num">{`${taken} of ${places} places taken`}</span>}>
      {sorted.length === 0 ? (
        <Empty title="Nobody is on, and nobody comes" icon="people">
          Cases wait until a shift begins. Enter one under Administration, Shifts.
        </Empty>
      ) : (
        <div className="scroll">
          <table aria-label="Who is on" className="inset dense">
            <thead>
              <tr>
                <th>Reader</th>
                <th className="no12" style={{ width: 70 }}>
                  Where
                </th>
                <th className="wide" style={{ width: 190 }}>
                  Groups
                </th>
                <th style={{ width: 100 }}>Own time</th>
                <th style={{ width: 94 }}>Load</th>
                <th className="r" style={{ width: 66 }}>
                  Open
                </th>
              </tr>
            </thead>
            <tbody>
              {sorted.map((reader) => {
                const zone = reader.time_zone ?? "UTC";
                const here = isOn(reader, now);
                const full = here && reader.open >= reader.capacity;
                return (
                  <tr key={reader.reader_id} className={here ? undefined : "away"}>
                    <td title={reader.groups.join(", ")}>
                      <span className="row">
                        <Avatar name={reader.name} small />
                        {reader.name.replace(/^Dr\.?\s+/, "")}
                      </span>
                    </td>
                    <td className="q no12">{reader.place ?? "–"}</td>
                    <td className="q wide">{reader.groups.join(", ")}</td>
                    <td className="q num">{here ? (reader.shift_ends_at ? `to ${clock(reader.shift_ends_at, zone)}` : "on") : reader.shift_starts_at ? `from ${ms(reader.shift_starts_at) - now < 20 * HOUR ? clock(reader.shift_starts_at, zone) : near(reader.shift_starts_at, zone, now)}` : "–"}</td>
                    <td>
                      <LoadMeter taken={reader.open} places={Math.min(reader.capacity, 10)} working={working(reader.reader_id)} />
                    </td>
                    <td className={`num r${full ? " amber" : ""}`}>
                      {reader.open}/{reader.capacity}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
