import { Menu } from "@mantine/core";
import type { ViewerLayout } from "../../../viewer/protocol";
import { Button, IconButton, type IconName, useKeys } from "../../kit";
import { send, setLinked, useViewer } from "./viewer/store";

const TOOLS: readonly { name: string; label: string; icon: IconName; key: string }[] = [
  { name: "WindowLevel", label: "Window", icon: "contrast", key: "w" },
  { name: "Zoom", label: "Zoom", icon: "zoom", key: "z" },
  { name: "Pan", label: "Pan", icon: "hand", key: "p" },
  { name: "StackScroll", label: "Scroll", icon: "scroll", key: "s" },
  { name: "Length", label: "Length", icon: "ruler", key: "l" },
];

const MORE: readonly { name: string; label: string; key?: string }[] = [
  { name: "Angle", label: "Angle", key: "A" },
  { name: "EllipticalROI", label: "Ellipse", key: "E" },
  { name: "RectangleROI", label: "Rectangle" },
  { name: "Bidirectional", label: "Two diameters" },
  { name: "ArrowAnnotate", label: "Arrow", key: "H" },
  { name: "Probe", label: "Value at a point" },
  { name: "Magnify", label: "Magnifier" },
];

const COMMANDS: readonly { name: string; label: string; key?: string }[] = [
  { name: "resetViewport", label: "Reset the image", key: "R" },
  { name: "invertViewport", label: "Invert", key: "I" },
  { name: "flipViewportHorizontal", label: "Flip" },
  { name: "rotateViewportCW", label: "Rotate" },
  { name: "toggleCine", label: "Play", key: "C" },
  { name: "openDICOMTagViewer", label: "DICOM attributes" },
];

const LAYOUTS: readonly { id: ViewerLayout; label: string }[] = [
  { id: "one", label: "One" },
  { id: "two", label: "Two" },
  { id: "four", label: "Four" },
  { id: "mpr", label: "Three planes (MPR)" },
];

/** Tools above the images. The same keys work with the focus in the images or anywhere but in text. */
export function Toolbar({ hasPrior }: { hasPrior: boolean }) {
  const viewer = useViewer();
  const off = !viewer.ready || viewer.opened === null;
  const more = MORE.find((tool) => tool.name === viewer.tool);
  useKeys("Images", [
    ...TOOLS.map((tool) => ({ id: `viewer.${tool.name}`, keys: [tool.key], label: tool.label, when: () => !off, run: () => send({ kind: "tool", name: tool.name }) })),
    ...[1, 2, 3, 4].map((number) => ({
      id: `viewer.preset.${number}`,
      keys: [String(number)],
      label: `Window ${number}${viewer.presets[number - 1] ? `: ${viewer.presets[number - 1]?.name}` : ""}`,
      when: () => !off && viewer.presets.length >= number,
      run: () => {
        const preset = viewer.presets[number - 1];
        if (preset) send({ kind: "preset", width: preset.width, level: preset.level });
      },
    })),
    { id: "viewer.reset", keys: ["r"], label: "Reset the image", when: () => !off, run: () => send({ kind: "command", name: "resetViewport" }) },
    { id: "viewer.invert", keys: ["i"], label: "Invert the image", when: () => !off, run: () => send({ kind: "command", name: "invertViewport" }) },
    { id: "viewer.play", keys: ["c"], label: "Play the frames, or stop", when: () => !off, run: () => send({ kind: "command", name: "toggleCine" }) },
    { id: "viewer.series.next", keys: ["Alt+ArrowDown"], label: "Next series", inFields: true, when: () => !off, run: () => send({ kind: "step-series", by: 1 }) },
    { id: "viewer.series.before", keys: ["Alt+ArrowUp"], label: "Series before", inFields: true, when: () => !off, run: () => send({ kind: "step-series", by: -1 }) },
  ]);
  return (
    <div className="vbar" role="toolbar" aria-label="Image tools">
      <div className="row" style={{ gap: 2 }}>
        {TOOLS.map((tool) => (
          <IconButton key={tool.name} label={tool.label} icon={tool.icon} keyHint={tool.key} size="sm" className={viewer.tool === tool.name ? "on" : undefined} aria-pressed={viewer.tool === tool.name} disabled={off} onClick={() => send({ kind: "tool", name: tool.name })} />
        ))}
        <Menu position="bottom-start">
          <Menu.Target>
            <Button size="sm" look="quiet" className={more ? "on" : undefined} disabled={off}>
              {more?.label ?? "More"}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>Measure and mark</Menu.Label>
            {MORE.map((tool) => (
              <Menu.Item key={tool.name} rightSection={tool.key && <kbd>{tool.key}</kbd>} onClick={() => send({ kind: "tool", name: tool.name })}>
                {tool.label}
              </Menu.Item>
            ))}
            <Menu.Divider />
            {COMMANDS.map((command) => (
              <Menu.Item key={command.name} rightSection={command.key && <kbd>{command.key}</kbd>} onClick={() => send({ kind: "command", name: command.name })}>
                {command.label}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      </div>
      {viewer.presets.length > 0 && (
        <>
          <span className="vs" />
          <span className="seg s" role="group" aria-label="Windows">
            {viewer.presets.map((preset, index) => (
              <button key={preset.name} type="button" title={`Window ${preset.width}, level ${preset.level} (${index + 1})`} onClick={() => send({ kind: "preset", width: preset.width, level: preset.level })}>
                {preset.name} <span className="q">{index + 1}</span>
              </button>
            ))}
          </span>
        </>
      )}
      <span className="grow" />
      {hasPrior && (
        <Button size="sm" look="quiet" icon="link" className={viewer.linked ? "on" : undefined} aria-pressed={viewer.linked} disabled={off} onClick={() => setLinked(!viewer.linked)} title="Exam and prior scroll together">
          <span className="no12">Linked</span>
        </Button>
      )}
      <Menu>
        <Menu.Target>
          <Button size="sm" look="quiet" icon="board" disabled={off}>
            <span className="no12">Layout</span>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {LAYOUTS.map((layout) => (
            <Menu.Item key={layout.id} onClick={() => send({ kind: "layout", layout: layout.id })}>
              {layout.label}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}
