import type { ReactNode } from "react";
import { Button, type Column, DataTable, Empty, ErrorState, type IconName, Panel, type RowTone, SkeletonRows, useKeys, useTable } from "../../kit";

export interface ListSectionProps<T> {
  id: string;
  title: string;
  sub?: string;
  query: { data: T[] | undefined; isError: boolean; error: unknown; refetch: () => unknown };
  columns: Column<T>[];
  rowId: (row: T) => string;
  sort: string;
  onOpen?: (row: T) => void;
  add?: { label: string; run: () => void };
  end?: ReactNode;
  tone?: (row: T) => RowTone;
  empty: { title: string; text: string; icon: IconName };
}

/** A list under administration: N adds, Enter opens. */
export function ListSection<T>({ id, title, sub, query, columns, rowId, sort, onOpen, add, end, tone, empty }: ListSectionProps<T>) {
  const rows = query.data ?? [];
  const state = useTable(`admin-${id}`, columns, rows, rowId, { id: sort });
  useKeys("Administration", add ? [{ id: "admin.add", keys: ["n"], label: add.label, run: add.run }] : []);
  return (
    <Panel
      className="clip full"
      title={title}
      count={query.data ? rows.length : undefined}
      sub={sub}
      end={
        <>
          {end}
          {add && (
            <Button size="sm" icon="plus" keyHint="n" onClick={add.run}>
              {add.label}
            </Button>
          )}
        </>
      }
    >
      {query.isError ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : query.data ? (
        <DataTable
          state={state}
          label={title}
          main
          onOpen={onOpen}
          rowTone={tone}
          empty={
            <Empty title={empty.title} icon={empty.icon} action={add && <Button onClick={add.run}>{add.label}</Button>}>
              {empty.text}
            </Empty>
          }
        />
      ) : (
        <SkeletonRows rows={8} />
      )}
    </Panel>
  );
}
