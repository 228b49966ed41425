import { Popover } from "@mantine/core";
import { useState } from "react";
import { Button, IconButton } from "./Button";
import { useKeys } from "./keys";
import type { TableState } from "./tableState";

/** Chooses and orders a table's columns (key C). */
export function ColumnsButton<T>({ state }: { state: TableState<T> }) {
  const [opened, setOpened] = useState(false);
  useKeys("List", [{ id: "list.columns", keys: ["c"], label: "Columns", run: () => setOpened((before) => !before) }]);
  const all = state.table.getAllLeafColumns();
  const names = all.map((column) => column.id);
  const move = (name: string, step: -1 | 1) => {
    const at = names.indexOf(name);
    const other = names[at + step];
    if (other === undefined) return;
    const next = [...names];
    next[at] = other;
    next[at + step] = name;
    state.table.setColumnOrder(next);
  };
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus returnFocus>
      <Popover.Target>
        <IconButton label="Columns" icon="columns" keyHint="c" aria-expanded={opened} onClick={() => setOpened((before) => !before)} />
      </Popover.Target>
      <Popover.Dropdown className="cols" aria-label="Columns">
        <ul>
          {all.map((column, index) => {
            const name = String(column.columnDef.header);
            return (
              <li key={column.id}>
                <label>
                  <input type="checkbox" checked={column.getIsVisible()} disabled={!column.getCanHide()} onChange={column.getToggleVisibilityHandler()} />
                  {name}
                </label>
                <IconButton label={`${name}: further left`} icon="up" size="sm" disabled={index === 0} onClick={() => move(column.id, -1)} />
                <IconButton label={`${name}: further right`} icon="chevron" size="sm" disabled={index === all.length - 1} onClick={() => move(column.id, 1)} />
              </li>
            );
          })}
        </ul>
        <div className="row sp" style={{ padding: "6px 4px 2px" }}>
          <span className="q mi">Drag a column&rsquo;s edge for its width</span>
          <Button size="sm" look="quiet" onClick={state.reset}>
            As delivered
          </Button>
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
