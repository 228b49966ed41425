import { createRoot } from "react-dom/client";
import { expect, it } from "vitest";
import { type Column, useTable } from "./tableState";

function Filtered({ count }: { count: () => void }) {
  count();
  const columns: Column<{ id: string }>[] = [{ id: "id", head: "Id", cell: (row) => row.id, sort: (row) => row.id }];
  // Made anew in each render, as a room's filter does.
  const rows = [{ id: "b" }, { id: "a" }].filter((row) => row.id !== "");
  const state = useTable("test", columns, rows, (row) => row.id, { id: "id" });
  return <p>{state.table.getRowModel().rows.map((row) => row.id).join()}</p>;
}

it("comes to rest when its rows are made anew in each render", async () => {
  let renders = 0;
  const count = () => void (renders += 1);
  const place = document.createElement("div");
  const root = createRoot(place);
  // Without act: what a render sets in motion must run as it does in the browser.
  const act = globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean };
  act.IS_REACT_ACT_ENVIRONMENT = false;
  root.render(<Filtered count={count} />);
  await new Promise((done) => setTimeout(done, 50));
  root.render(<Filtered count={count} />);
  await new Promise((done) => setTimeout(done, 100));
  const seen = renders;
  expect(place.textContent).toBe("a,b");
  root.unmount();
  expect(seen).toBeLessThan(6);
});
