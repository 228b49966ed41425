import { useEffect, useRef } from "react";
import { getSlot, onSlot, setFrame, stopViewer, useViewer } from "./store";
import "./host.css";

/** Stands once in the signed-in layout, above all routes: moving an iframe in the page would load it anew. */
export function ViewerHost() {
  const { started, generation } = useViewer();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => stopViewer, []);
  useEffect(() => {
    if (!started) return;
    const place = () => {
      const own = box.current;
      const slot = getSlot();
      if (!own) return;
      own.toggleAttribute("data-shown", slot !== null);
      if (!slot) return;
      const { left, top, width, height } = slot.getBoundingClientRect();
      Object.assign(own.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    };
    let watched: Element | null = null;
    const sizes = new ResizeObserver(place);
    const follow = () => {
      if (watched) sizes.unobserve(watched);
      watched = getSlot();
      if (watched) sizes.observe(watched);
      place();
    };
    follow();
    const off = onSlot(follow);
    window.addEventListener("resize", place);
    return () => {
      off();
      sizes.disconnect();
      window.removeEventListener("resize", place);
    };
  }, [started, generation]);
  if (!started) return null;
  return (
    <div className="viewer-host" ref={box}>
      <iframe key={generation} ref={setFrame} src="/viewer/idle" title="Images" allow="fullscreen" />
    </div>
  );
}
