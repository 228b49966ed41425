import type { Header } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type KeyboardEvent, type PointerEvent as ReactPointerEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { inTextField, useKeys } from "./keys";
import type { Column, TableState } from "./tableState";

export * from "./ColumnsButton";
export * from "./tableState";

/** Why a row's left edge is marked: red broken, amber needs a person; done just now; open elsewhere. */
export type RowTone = "broken" | "person" | "just" | "away" | undefined;

export interface DataTableProps<T> {
  state: TableState<T>;
  /** Names the table for assistive technology. */
  label: string;
  selected?: string | null;
  onSelect?: (id: string) => void;
  /** Enter or double click. */
  onOpen?: (row: T) => void;
  /** Shift+Enter. */
  onOpenApart?: (row: T) => void;
  rowTone?: (row: T) => RowTone;
  /** Shown in place of rows when there are none. */
  empty?: ReactNode;
  /** This table answers J, K and Enter when nothing else has the focus; one a page. */
  main?: boolean;
  rowHeight?: number;
}

const ROW = { compact: 28, normal: 32, comfortable: 40 } as const;

function densityHeight(): number {
  const density = document.documentElement.dataset.density;
  return density === "compact" || density === "comfortable" ? ROW[density] : ROW.normal;
}

function columnClass<T>(column: Column<T>, chosen: boolean): string | undefined {
  const names = [
    column.align === "right" ? "r" : column.align === "center" ? "c" : "",
    chosen ? "" : column.show === "wide" ? "wide" : column.show === "not-narrow" ? "no12" : "",
    column.className ?? "",
  ].filter(Boolean);
  return names.length ? names.join(" ") : undefined;
}

/** A dense table of rows of one height: sticky head, virtual rows, J and K, Enter, sort and width by mouse and keyboard. */
export function DataTable<T>({ state, label, selected, onSelect, onOpen, onOpenApart, rowTone, empty, main, rowHeight }: DataTableProps<T>) {
  const box = useRef<HTMLDivElement>(null);
  const height = rowHeight ?? densityHeight();
  const rows = state.table.getRowModel().rows;
  const columns = new Map(state.columns.map((column) => [column.id, column]));
  const [own, setOwn] = useState<string | null>(null);
  const current = selected !== undefined ? selected : own;
  const at = rows.findIndex((row) => row.id === current);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 12,
    initialRect: { width: 1200, height: 900 },
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  const choose = (index: number, focus: boolean) => {
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    if (!row) return;
    setOwn(row.id);
    onSelect?.(row.id);
    virtual.scrollToIndex(row.index === index ? index : Math.max(0, Math.min(index, rows.length - 1)), { align: "auto" });
    if (focus) {
      requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`tr[data-id="${CSS.escape(row.id)}"]`)?.focus({ preventScroll: true }));
    }
  };
  const openCurrent = (apart: boolean) => {
    const row = rows[at];
    if (!row) return;
    (apart && onOpenApart ? onOpenApart : onOpen)?.(row.original);
  };
  /** The list answers when it has the focus, or when nothing has. */
  const listening = () => {
    const active = document.activeElement;
    const inside = box.current?.contains(active) ?? false;
    return inside || (main === true && !inTextField(active));
  };
  useKeys("List", [
    { id: "list.down", keys: ["j", "ArrowDown"], label: "Next row", when: () => rows.length > 0 && listening(), run: () => choose(at + 1, true) },
    { id: "list.up", keys: ["k", "ArrowUp"], label: "Row before", when: () => rows.length > 0 && listening(), run: () => choose(at < 0 ? 0 : at - 1, true) },
    { id: "list.first", keys: ["Home"], label: "First row", when: () => rows.length > 0 && listening(), run: () => choose(0, true) },
    { id: "list.last", keys: ["End"], label: "Last row", when: () => rows.length > 0 && listening(), run: () => choose(rows.length - 1, true) },
    ...(onOpen ? [{ id: "list.open", keys: ["Enter"], label: "Open", when: () => at >= 0 && listening(), run: () => openCurrent(false) }] : []),
    ...(onOpenApart ? [{ id: "list.apart", keys: ["Shift+Enter"], label: "Open in a second window", when: () => at >= 0 && listening(), run: () => openCurrent(true) }] : []),
  ]);

  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items[items.length - 1]?.end ?? 0);
  const gap = (size: number, key: string) => (
    <tr key={key} className="gap" aria-hidden="true" style={{ "--gap": `${size}px` } as CSSProperties}>
      <td />
    </tr>
  );

  return (
    <div className="tbl" ref={box}>
      <table aria-label={label} aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {state.table.getFlatHeaders().map((header) => {
              const column = columns.get(header.column.id);
              return column ? <Head key={header.id} header={header} column={column} state={state} /> : null;
            })}
          </tr>
        </thead>
        <tbody>
          {before > 0 && gap(before, "before")}
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            const chosen = row.id === current;
            const tone = rowTone?.(row.original);
            const name = [tone, chosen ? "sel cur" : ""].filter(Boolean).join(" ");
            return (
              <tr
                key={row.id}
                data-id={row.id}
                data-index={item.index}
                className={name || undefined}
                aria-rowindex={item.index + 2}
                aria-selected={chosen}
                tabIndex={chosen || (at < 0 && item.index === 0) ? 0 : -1}
                onClick={() => choose(item.index, false)}
                onDoubleClick={() => onOpen?.(row.original)}
              >
                {row.getVisibleCells().map((cell) => {
                  const column = columns.get(cell.column.id);
                  return column ? (
                    <td key={cell.id} className={columnClass(column, state.chosen(column.id))}>
                      {column.cell(row.original)}
                    </td>
                  ) : null;
                })}
              </tr>
            );
          })}
          {after > 0 && gap(after, "after")}
        </tbody>
      </table>
      {rows.length === 0 && empty}
    </div>
  );
}

function Head<T>({ header, column, state }: { header: Header<T, unknown>; column: Column<T>; state: TableState<T> }) {
  const cell = useRef<HTMLTableCellElement>(null);
  const [dragging, setDragging] = useState(false);
  const sorted = header.column.getIsSorted();
  const width = state.widths[column.id] ?? column.width;

  const drag = (event: ReactPointerEvent<HTMLSpanElement>) => {
    event.preventDefault();
    const from = event.clientX;
    const start = cell.current?.offsetWidth ?? 100;
    const grip = event.currentTarget;
    grip.setPointerCapture(event.pointerId);
    setDragging(true);
    const moved = (move: PointerEvent) => state.setWidth(column.id, start + move.clientX - from);
    const end = () => {
      setDragging(false);
      grip.removeEventListener("pointermove", moved);
    };
    grip.addEventListener("pointermove", moved);
    grip.addEventListener("pointerup", end, { once: true });
    grip.addEventListener("pointercancel", end, { once: true });
  };
  /** Alt with an arrow makes the column narrower or wider. */
  const onKeyDown = (event: KeyboardEvent) => {
    if (!event.altKey || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    event.preventDefault();
    state.setWidth(column.id, (cell.current?.offsetWidth ?? 100) + (event.key === "ArrowRight" ? 16 : -16));
  };
  const content = (
    <>
      {column.head}
      {sorted && <span className="sort">{sorted === "asc" ? "▲" : "▼"}</span>}
    </>
  );
  return (
    <th
      ref={cell}
      className={columnClass(column, state.chosen(column.id))}
      style={width ? { width } : undefined}
      aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}
    >
      {header.column.getCanSort() ? (
        <button type="button" className="hd" onClick={header.column.getToggleSortingHandler()} onKeyDown={onKeyDown} title={`Sort by ${column.head}; Alt and arrows: width`}>
          {content}
        </button>
      ) : (
        <span className="hd">{content}</span>
      )}
      <span className="grip" data-on={dragging || undefined} onPointerDown={drag} onDoubleClick={() => state.setWidth(column.id, null)} aria-hidden="true" />
    </th>
  );
}
