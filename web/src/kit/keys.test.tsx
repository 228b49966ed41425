import { cleanup, fireEvent, render } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { changeKeys, type KeyAction, keycaps, listKeys, useKeys } from "./keys";

function Room({ scope, actions }: { scope: string; actions: KeyAction[] }) {
  useKeys(scope, actions);
  return (
    <>
      <input aria-label="field" />
      <input aria-label="tick" type="checkbox" />
      <button type="button">press</button>
    </>
  );
}

afterEach(() => {
  cleanup();
  changeKeys("t.next", null);
});

const press = (key: string, init: KeyboardEventInit = {}, target: Element = document.body) => fireEvent.keyDown(target, { key, ...init });

describe("keys", () => {
  it("fire on the page and not in a text field", () => {
    const run = vi.fn();
    const view = render(<Room scope="List" actions={[{ id: "t.next", keys: ["n"], label: "Next", run }]} />);
    press("n");
    expect(run).toHaveBeenCalledTimes(1);
    press("n", {}, view.getByLabelText("field"));
    expect(run).toHaveBeenCalledTimes(1);
    press("n", {}, view.getByLabelText("tick"));
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("with Ctrl fire in a text field only when they say so", () => {
    const sign = vi.fn();
    const other = vi.fn();
    const view = render(
      <Room
        scope="Reading"
        actions={[
          { id: "t.sign", keys: ["Ctrl+Enter"], label: "Sign", run: sign, inFields: true },
          { id: "t.other", keys: ["Ctrl+m"], label: "Macro", run: other },
        ]}
      />,
    );
    press("Enter", { ctrlKey: true }, view.getByLabelText("field"));
    press("m", { ctrlKey: true }, view.getByLabelText("field"));
    expect(sign).toHaveBeenCalledTimes(1);
    expect(other).not.toHaveBeenCalled();
  });

  it("leave the press by which a dialog closes to the dialog", () => {
    const close = vi.fn();
    render(<Room scope="List" actions={[{ id: "t.close", keys: ["Escape"], label: "Close", run: close }]} />);
    const dialog = document.createElement("div");
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-modal", "true");
    document.body.append(dialog);
    window.addEventListener("keydown", () => dialog.remove(), { capture: true, once: true });
    press("Escape");
    expect(dialog.isConnected).toBe(false);
    expect(close).not.toHaveBeenCalled();
    press("Escape");
    expect(close).toHaveBeenCalledTimes(1);
  });

  it("with Ctrl+Enter save also where a choice list would take Enter", () => {
    const save = vi.fn();
    const view = render(<Room scope="Form" actions={[{ id: "t.save", keys: ["Ctrl+Enter"], label: "Save", run: save, inFields: true }]} />);
    const choice = view.getByText("press");
    const opens = vi.fn((event: Event) => event.preventDefault());
    choice.addEventListener("keydown", opens);
    press("Enter", { ctrlKey: true }, choice);
    expect(save).toHaveBeenCalledTimes(1);
    expect(opens).not.toHaveBeenCalled();
  });

  it("leave Enter to the focused button", () => {
    const run = vi.fn();
    const view = render(<Room scope="List" actions={[{ id: "t.open", keys: ["Enter"], label: "Open", run }]} />);
    press("Enter", {}, view.getByText("press"));
    expect(run).not.toHaveBeenCalled();
    press("Enter");
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("run in sequence", () => {
    const run = vi.fn();
    render(<Room scope="Everywhere" actions={[{ id: "t.go", keys: ["g l"], label: "List", run }]} />);
    press("l");
    expect(run).not.toHaveBeenCalled();
    press("g");
    press("l");
    expect(run).toHaveBeenCalledTimes(1);
    press("g");
    press("x");
    press("l");
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("of the room mounted last win, and give way when it says no", () => {
    const outer = vi.fn();
    const inner = vi.fn();
    let willing = true;
    render(
      <>
        <Room scope="Everywhere" actions={[{ id: "t.a", keys: ["z"], label: "Undo", run: outer }]} />
        <Room scope="List" actions={[{ id: "t.b", keys: ["z"], label: "Zoom", run: inner, when: () => willing }]} />
      </>,
    );
    press("z");
    expect([outer.mock.calls.length, inner.mock.calls.length]).toEqual([0, 1]);
    willing = false;
    press("z");
    expect([outer.mock.calls.length, inner.mock.calls.length]).toEqual([1, 1]);
  });

  it("can be changed, are listed, and go when the room goes", () => {
    const run = vi.fn();
    const view = render(<Room scope="List" actions={[{ id: "t.next", keys: ["n"], label: "Next", run }]} />);
    changeKeys("t.next", ["Shift+N"]);
    press("n");
    expect(run).not.toHaveBeenCalled();
    press("N", { shiftKey: true });
    expect(run).toHaveBeenCalledTimes(1);
    expect(listKeys()).toEqual([{ scope: "List", actions: [{ id: "t.next", keys: ["Shift+N"], label: "Next", changed: true }] }]);
    view.unmount();
    expect(listKeys()).toEqual([]);
  });

  it("are drawn as keycaps", () => {
    expect(keycaps("Ctrl+Enter")).toEqual(["Ctrl", "↵"]);
    expect(keycaps("Enter")).toEqual(["Enter"]);
    expect(keycaps("g l")).toEqual(["G", "L"]);
    expect(keycaps("?")).toEqual(["?"]);
  });
});
