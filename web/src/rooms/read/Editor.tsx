import { EditorContent, useEditor } from "@tiptap/react";
import StarterKit from "@tiptap/starter-kit";
import { useEffect, useRef } from "react";
import { toDoc, toText } from "./text";

/** Text and lines only: what is signed is plain text, so nothing that can't be signed can be typed or pasted. */
const PLAIN = StarterKit.configure({
  blockquote: false,
  bold: false,
  bulletList: false,
  code: false,
  codeBlock: false,
  heading: false,
  horizontalRule: false,
  italic: false,
  link: false,
  listItem: false,
  listKeymap: false,
  orderedList: false,
  strike: false,
  underline: false,
  trailingNode: false,
});

/** Ctrl+Enter signs and Escape goes to the images: the editor passes them by untouched, so that the page's own keys get them. */
function isPageKey(event: KeyboardEvent): boolean {
  return event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey));
}

export interface SectionEditorProps {
  id: string;
  label: string;
  text: string;
  locked: boolean;
  onChange: (text: string) => void;
  onBlur: () => void;
}

/** One section of the report. It holds its own text; `text` is only looked at when it differs from what was told last. */
export function SectionEditor({ id, label, text, locked, onChange, onBlur }: SectionEditorProps) {
  const told = useRef(text);
  const editor = useEditor({
    extensions: [PLAIN],
    content: toDoc(text),
    editable: !locked,
    editorProps: {
      attributes: { "aria-label": label, "aria-multiline": "true", role: "textbox", class: "sec-text", spellcheck: "true", "data-section": id },
      handleDOMEvents: { keydown: (_view, event) => isPageKey(event) },
      transformPastedHTML: (html) => html.replace(/<br\s*\/?>/gi, "</p><p>"),
    },
    onUpdate: ({ editor: own }) => {
      const now = toText(own.state.doc);
      told.current = now;
      onChange(now);
    },
    onBlur,
  });
  useEffect(() => {
    editor?.setEditable(!locked, false);
  }, [editor, locked]);
  useEffect(() => {
    if (!editor || text === told.current) return;
    told.current = text;
    editor.commands.setContent(toDoc(text), { emitUpdate: false });
  }, [editor, text]);
  return <EditorContent editor={editor} />;
}

/** Puts the caret into a section, or the focus onto a field. */
export function focusField(id: string): boolean {
  const target =
    document.querySelector<HTMLElement>(`.rep [data-section="${CSS.escape(id)}"]`) ??
    document.querySelector<HTMLElement>(`.rep [data-field="${CSS.escape(id)}"] :is(select,input,button)`);
  if (!target) return false;
  target.focus();
  target.scrollIntoView({ block: "nearest" });
  if (target.isContentEditable) {
    const end = document.createRange();
    end.selectNodeContents(target.lastElementChild ?? target);
    end.collapse(false);
    const selection = window.getSelection();
    selection?.removeAllRanges();
    selection?.addRange(end);
  }
  return true;
}
