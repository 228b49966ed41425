import { useNow } from "../../kit/now";
import { clock } from "../../kit/time";
import { LAND } from "./land";
import { northIsDark, sunHeight, terminator } from "./sun";

interface City {
  name: string;
  zone: string;
  lon: number;
  lat: number;
  side: "left" | "right";
  dy?: number;
}

/** Places around the earth for the eye; nothing here tells who uses this installation, or how much. */
export const CITIES: readonly City[] = [
  { name: "Boston", zone: "America/New_York", lon: -71.06, lat: 42.36, side: "left" },
  { name: "São Paulo", zone: "America/Sao_Paulo", lon: -46.63, lat: -23.55, side: "right" },
  { name: "Zurich", zone: "Europe/Zurich", lon: 8.54, lat: 47.38, side: "right", dy: 16 },
  { name: "Nairobi", zone: "Africa/Nairobi", lon: 36.82, lat: -1.29, side: "left" },
  { name: "Singapore", zone: "Asia/Singapore", lon: 103.8, lat: 1.35, side: "right" },
  { name: "Sydney", zone: "Australia/Sydney", lon: 151.21, lat: -33.87, side: "left" },
  { name: "Honolulu", zone: "Pacific/Honolulu", lon: -157.86, lat: 21.31, side: "right" },
];

const project = (lon: number, lat: number): [number, number] => [((lon + 180) / 360) * 1000, 270.7 - 3.2246 * lat];

/** The day and the night of this minute, and from each place in the dark an arc to the place that has the highest sun. */
export function WorldMap() {
  const now = useNow();
  const sun = new Map(CITIES.map((city) => [city.name, sunHeight(now, city.lon, city.lat)]));
  const height = (city: City) => sun.get(city.name) ?? 0;
  const brightest = CITIES.reduce((best, city) => (height(city) > height(best) ? city : best));
  const edge = Array.from({ length: 181 }, (_, index) => project(index * 2 - 180, terminator(now, index * 2 - 180)).map((value) => value.toFixed(1)).join(" "));
  const dark = northIsDark(now) ? "M0 -60 L" + edge.join(" L") + " L1000 -60 Z" : "M0 600 L" + edge.join(" L") + " L1000 600 Z";
  return (
    <svg className="world" viewBox="30 0 970 440" width="100%" preserveAspectRatio="xMidYMid meet" role="img" aria-label={`Where it is day now; the sun is highest over ${brightest.name}`}>
      <path className="land" id="land" d={LAND} />
      <clipPath id="land-clip">
        <use href="#land" />
      </clipPath>
      <path className="night" clipPath="url(#land-clip)" d={dark} />
      {CITIES.filter((city) => height(city) < -6).map((city) => (
        <path key={city.name} className="arc" d={arc(project(city.lon, city.lat), project(brightest.lon, brightest.lat))} />
      ))}
      {CITIES.map((city) => {
        const [x, y] = project(city.lon, city.lat);
        const day = height(city) >= -6;
        return (
          <g key={city.name}>
            {day ? (
              <>
                <circle className="lit" cx={x} cy={y} r={4} />
                <circle className="halo" cx={x} cy={y} r={8} />
              </>
            ) : (
              <rect className="unlit" x={x - 3} y={y - 3} width={6} height={6} />
            )}
            <text className="city" x={x + (city.side === "left" ? -14 : 14)} y={y + 4 + (city.dy ?? 0)} textAnchor={city.side === "left" ? "end" : "start"}>
              {city.name} <tspan>{clock(now, city.zone)}</tspan>
            </text>
          </g>
        );
      })}
    </svg>
  );
}

function arc([x1, y1]: [number, number], [x2, y2]: [number, number]): string {
  const lift = Math.min(160, Math.hypot(x2 - x1, y2 - y1) * 0.36);
  return `M${x1} ${y1} Q${(x1 + x2) / 2} ${Math.min(y1, y2) - lift} ${x2} ${y2}`;
}
