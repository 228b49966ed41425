/** Where it is day. Positions in degrees, east and north positive; good to about a third of a degree, which a map can't show. */
const RAD = Math.PI / 180;

/** The point that has the sun overhead at `at` (epoch ms). */
export function subsolar(at: number): { lon: number; lat: number } {
  const days = at / 86_400_000 - 10_957.5; // from J2000.0
  const mean = (357.529 + 0.98560028 * days) * RAD;
  const longitude = 280.459 + 0.98564736 * days + 1.915 * Math.sin(mean) + 0.02 * Math.sin(2 * mean);
  const obliquity = (23.439 - 0.00000036 * days) * RAD;
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(longitude * RAD));
  const ascension = Math.atan2(Math.cos(obliquity) * Math.sin(longitude * RAD), Math.cos(longitude * RAD)) / RAD;
  const sidereal = 280.46061837 + 360.98564736629 * days;
  return { lon: wrap(ascension - sidereal), lat: declination / RAD };
}

function wrap(degrees: number): number {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}

/** The sun's height above the horizon in degrees. */
export function sunHeight(at: number, lon: number, lat: number): number {
  const sun = subsolar(at);
  const hour = (lon - sun.lon) * RAD;
  return Math.asin(Math.sin(lat * RAD) * Math.sin(sun.lat * RAD) + Math.cos(lat * RAD) * Math.cos(sun.lat * RAD) * Math.cos(hour)) / RAD;
}

/** The latitude at which the sun stands on the horizon at a longitude. */
export function terminator(at: number, lon: number): number {
  const sun = subsolar(at);
  const tilt = Math.abs(sun.lat) < 0.05 ? 0.05 : sun.lat;
  return Math.atan(-Math.cos((lon - sun.lon) * RAD) / Math.tan(tilt * RAD)) / RAD;
}

/** True where the pole in the dark is the northern one. */
export function northIsDark(at: number): boolean {
  return subsolar(at).lat < 0;
}

/** The next sunset after `at`, to the minute; null where the sun doesn't set within a day. */
export function sunset(at: number, lon: number, lat: number): number | null {
  for (let minute = 1; minute <= 1440; minute += 1) {
    const then = at + minute * 60_000;
    if (sunHeight(then, lon, lat) <= -0.83) return then;
  }
  return null;
}
