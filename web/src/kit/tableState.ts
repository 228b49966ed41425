import { type ColumnDef, getCoreRowModel, getSortedRowModel, type SortingState, type Table, useReactTable, type VisibilityState } from "@tanstack/react-table";
import { type ReactNode, useEffect, useState } from "react";

export interface Column<T> {
  id: string;
  /** The head, also the column's name in the chooser. */
  head: string;
  cell: (row: T) => ReactNode;
  /** Pixels; without it the column shares what is left. */
  width?: number;
  align?: "right" | "center";
  /** What it is sorted by; without it the column can't be sorted. Null goes last. */
  sort?: (row: T) => string | number | null | undefined;
  /** Identity, time left and state can't be taken away. */
  fixed?: boolean;
  /** From 1800 px only, or not below 1400 px; a person's own choice goes before both. */
  show?: "wide" | "not-narrow" | "on-demand";
  className?: string;
}

interface Remembered {
  sorting: SortingState;
  visibility: VisibilityState;
  order: string[];
  widths: Record<string, number>;
}

export interface TableState<T> {
  id: string;
  table: Table<T>;
  columns: readonly Column<T>[];
  widths: Record<string, number>;
  setWidth: (column: string, width: number | null) => void;
  /** Whether the person chose for this column. */
  chosen: (column: string) => boolean;
  reset: () => void;
}

function recall(id: string): Partial<Remembered> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(`hg-table-${id}`) ?? "{}");
    return typeof stored === "object" && stored !== null ? stored : {};
  } catch {
    return {};
  }
}

function remember(id: string, state: Remembered): void {
  try {
    localStorage.setItem(`hg-table-${id}`, JSON.stringify(state));
  } catch {
    // Storage off: remembered for this page only.
  }
}

/** Columns, their order, widths and sort of one table, remembered in this browser under its id. */
export function useTable<T>(id: string, columns: readonly Column<T>[], rows: readonly T[], rowId: (row: T) => string, initialSort?: { id: string; desc?: boolean }): TableState<T> {
  const [start] = useState(() => recall(id));
  const firstSort: SortingState = initialSort ? [{ id: initialSort.id, desc: initialSort.desc ?? false }] : [];
  const [sorting, setSorting] = useState<SortingState>(start.sorting ?? firstSort);
  const [visibility, setVisibility] = useState<VisibilityState>(start.visibility ?? {});
  const [order, setOrder] = useState<string[]>(start.order ?? []);
  const [widths, setWidths] = useState<Record<string, number>>(start.widths ?? {});

  useEffect(() => remember(id, { sorting, visibility, order, widths }), [id, sorting, visibility, order, widths]);

  const definitions: ColumnDef<T>[] = columns.map((column) => ({
    id: column.id,
    header: column.head,
    accessorFn: (row: T) => column.sort?.(row) ?? undefined,
    enableSorting: column.sort !== undefined,
    sortUndefined: "last",
    sortingFn: (a, b, name) => {
      const left = a.getValue<string | number>(name);
      const right = b.getValue<string | number>(name);
      return typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right), undefined, { numeric: true });
    },
    sortDescFirst: false,
    enableHiding: !column.fixed,
  }));
  const onDemand = Object.fromEntries(columns.filter((column) => column.show === "on-demand").map((column) => [column.id, false]));

  const table = useReactTable<T>({
    data: rows as T[],
    columns: definitions,
    getRowId: rowId,
    state: { sorting, columnVisibility: { ...onDemand, ...visibility }, columnOrder: order },
    onSortingChange: setSorting,
    onColumnVisibilityChange: setVisibility,
    onColumnOrderChange: setOrder,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    enableMultiSort: false,
    enableSortingRemoval: false,
    // There are no pages to go back to. With it, rows made anew in each render (a filter) would render for ever.
    autoResetAll: false,
  });

  return {
    id,
    table,
    columns,
    widths,
    setWidth: (column, width) =>
      setWidths((before) => {
        const others = Object.fromEntries(Object.entries(before).filter(([name]) => name !== column));
        return width === null ? others : { ...others, [column]: Math.max(40, Math.round(width)) };
      }),
    chosen: (column) => column in visibility,
    reset: () => {
      setSorting(firstSort);
      setVisibility({});
      setOrder([]);
      setWidths({});
    },
  };
}
