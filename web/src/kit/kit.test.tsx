import { MantineProvider } from "@mantine/core";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DataTable, type Column, useTable } from "./DataTable";
import { dueTone, TimeLeft } from "./TimeLeft";
import { HOUR, MINUTE } from "./time";
import { Toasts, toast } from "./toast";
import { layLanes } from "./IntervalBar";
import { verdictsOf } from "./VerdictMatrix";

const START = Date.parse("2026-11-25T01:41:00Z");

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  window.matchMedia ??= () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }) as unknown as MediaQueryList;
  window.ResizeObserver ??= class {
    observe() {
      return undefined;
    }
    unobserve() {
      return undefined;
    }
    disconnect() {
      return undefined;
    }
  };
  // jsdom lays nothing out: without a height a virtual list has no rows.
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(400);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(800);
  localStorage.clear();
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const show = (node: ReactNode) => render(<MantineProvider>{node}</MantineProvider>);

describe("time left", () => {
  it("colours by absolute minutes", () => {
    expect([4 * HOUR, 3 * HOUR, HOUR, HOUR - 1, 15 * MINUTE, 15 * MINUTE - 1, 0, -1].map(dueTone)).toEqual(["far", "near", "near", "hour", "hour", "last", "last", "broken"]);
  });

  it("ticks each minute, each second at the end, and turns red with a minus", () => {
    const { container } = show(<TimeLeft due={START + 7 * MINUTE} start={START - 23 * MINUTE} />);
    const number = () => container.querySelector(".due .n")?.textContent;
    expect(number()).toBe("7min");
    act(() => void vi.advanceTimersByTime(MINUTE));
    expect(number()).toBe("6min");
    act(() => void vi.advanceTimersByTime(MINUTE + 1000));
    expect(number()).toBe("4:59");
    act(() => void vi.advanceTimersByTime(5 * MINUTE));
    expect(number()).toBe("−0min");
    expect(container.querySelector(".due")?.className).toContain("broken");
  });

  it("stands where the clock was stopped", () => {
    const { container } = show(<TimeLeft due={START + 7 * MINUTE} stopped={START} />);
    act(() => void vi.advanceTimersByTime(HOUR));
    expect(container.querySelector(".due .n")?.textContent).toBe("7min");
    expect(container.querySelector(".due")?.className).toContain("done");
  });
});

interface Row {
  id: string;
  name: string;
  size: number | null;
}

const ROWS: Row[] = [
  { id: "a", name: "beta", size: 2 },
  { id: "b", name: "alpha", size: null },
  { id: "c", name: "gamma", size: 10 },
];
const COLUMNS: Column<Row>[] = [
  { id: "name", head: "Name", cell: (row) => row.name, sort: (row) => row.name, fixed: true },
  { id: "size", head: "Size", cell: (row) => row.size, sort: (row) => row.size },
];

function List({ onOpen }: { onOpen: (row: Row) => void }) {
  const state = useTable("t", COLUMNS, ROWS, (row) => row.id);
  return (
    <div style={{ height: 400 }}>
      <DataTable state={state} label="Rows" main onOpen={onOpen} />
    </div>
  );
}

describe("the table", () => {
  const names = () => [...document.querySelectorAll("tbody tr[data-id]")].map((row) => row.getAttribute("data-id")).join("");

  it("moves with J and K and opens with Enter", () => {
    const open = vi.fn();
    show(<List onOpen={open} />);
    fireEvent.keyDown(document.body, { key: "Enter" });
    expect(open).not.toHaveBeenCalled();
    for (const key of ["j", "j", "j", "k", "Enter"]) fireEvent.keyDown(document.body, { key });
    expect(open).toHaveBeenCalledExactlyOnceWith(ROWS[1]);
    expect(document.querySelector("tr[aria-selected=true]")?.getAttribute("data-id")).toBe("b");
  });

  it("sorts numbers as numbers, what is missing last, and remembers it", () => {
    show(<List onOpen={() => undefined} />);
    expect(names()).toBe("abc");
    fireEvent.click(screen.getByRole("button", { name: /Size/ }));
    expect(names()).toBe("acb");
    fireEvent.click(screen.getByRole("button", { name: /Size/ }));
    expect(names()).toBe("cab");
    cleanup();
    show(<List onOpen={() => undefined} />);
    expect(names()).toBe("cab");
  });
});

describe("undo", () => {
  it("is there for ten seconds, by button or Z", async () => {
    show(<Toasts />);
    const undo = vi.fn();
    act(() => void toast({ text: "Handed back", undo }));
    fireEvent.keyDown(document.body, { key: "z" });
    await act(() => Promise.resolve());
    expect(undo).toHaveBeenCalledTimes(1);
    expect(screen.queryByText("Handed back")).toBeNull();
    act(() => void toast({ text: "Moved", undo }));
    act(() => void vi.advanceTimersByTime(9_800));
    expect(screen.queryByText("Moved")).not.toBeNull();
    act(() => void vi.advanceTimersByTime(400));
    expect(screen.queryByText("Moved")).toBeNull();
    fireEvent.keyDown(document.body, { key: "z" });
    expect(undo).toHaveBeenCalledTimes(1);
  });
});

describe("verdicts", () => {
  it("are as bad as the worst check of their rule", () => {
    const check = (rule: string, outcome: "pass" | "fail" | "unknown") => ({ rule, outcome });
    expect(verdictsOf([check("licence", "pass"), check("licence", "unknown"), check("shift", "unknown"), check("shift", "fail"), check("shift", "pass")])).toEqual({ licence: "unknown", shift: "fail" });
  });
});

it("lays a label beside a post, never across it", () => {
  const [lane] = layLanes([{ x: 36, width: 120 }], [36], 1200);
  expect(lane).toEqual({ x: 41, anchor: "start", shown: true });
});
