/**
 * Whether somebody is at the page. Pages ask by themselves (lists are cut by the clock, events bring changes): such a request says so,
 * and keeps no session alive, else a board left open would never be signed out.
 */
const RECENT_MS = 90_000;
// A page that was just opened was opened by somebody.
let last = Date.now();

function note(): void {
  last = Date.now();
}

// The viewer's frame tells by messages what is scrolled and measured in it.
for (const kind of ["pointerdown", "pointermove", "wheel", "keydown", "message"]) window.addEventListener(kind, note, { capture: true, passive: true });

export function isAttended(): boolean {
  return Date.now() - last < RECENT_MS;
}
