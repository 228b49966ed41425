import type { JSONContent } from "@tiptap/core";

/** Section text is plain; a paragraph of the editor is a line of it. */
export function toDoc(text: string): JSONContent {
  return { type: "doc", content: text.split("\n").map((line) => ({ type: "paragraph", content: line ? [{ type: "text", text: line }] : [] })) };
}

interface Node {
  type: { name: string };
  text?: string | null;
  forEach: (visit: (child: Node) => void) => void;
}

/** The lines of a document; a hard break is a line end too. */
export function toText(doc: Node): string {
  const lines: string[] = [];
  doc.forEach((paragraph) => {
    let line = "";
    paragraph.forEach((child) => {
      line += child.type.name === "hardBreak" ? "\n" : (child.text ?? "");
    });
    lines.push(line);
  });
  return lines.join("\n");
}
