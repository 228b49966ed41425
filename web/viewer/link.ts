import type { CornerstoneViewport, Services } from "./ohif";

type Point = readonly [number, number, number];

interface Plane {
  normal: Point;
  /** Millimetres along the normal (PS3.3 C.7.6.2.1.1). */
  position: number;
  frameOfReference: string;
}

interface PlaneModule {
  imagePositionPatient?: ArrayLike<number>;
  rowCosines?: ArrayLike<number>;
  columnCosines?: ArrayLike<number>;
  frameOfReferenceUID?: string;
}

const cross = (a: ArrayLike<number>, b: ArrayLike<number>): Point => {
  const [ax = 0, ay = 0, az = 0] = Array.from(a);
  const [bx = 0, by = 0, bz = 0] = Array.from(b);
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
};
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => (a[0] ?? 0) * (b[0] ?? 0) + (a[1] ?? 0) * (b[1] ?? 0) + (a[2] ?? 0) * (b[2] ?? 0);

export function planeOf(module: PlaneModule | undefined): Plane | null {
  if (!module?.imagePositionPatient || !module.rowCosines || !module.columnCosines) return null;
  const normal = cross(module.rowCosines, module.columnCosines);
  return { normal, position: dot(module.imagePositionPatient, normal), frameOfReference: module.frameOfReferenceUID ?? "" };
}

/**
 * Where the other series goes: in one frame of reference to the same place; else as far from where it stood when they were linked
 * as this one moved. Null when they don't run the same way.
 */
export function targetPosition(from: Plane, to: Plane, anchors: { from: number; to: number }): number | null {
  if (dot(from.normal, to.normal) < 0.9) return null;
  if (from.frameOfReference && from.frameOfReference === to.frameOfReference) return from.position;
  return anchors.to + (from.position - anchors.from);
}

/** Index of the nearest of `positions` (millimetres); -1 for none. */
export function nearest(positions: readonly (number | null)[], wanted: number): number {
  let best = -1;
  let distance = Number.POSITIVE_INFINITY;
  positions.forEach((position, index) => {
    if (position !== null && Math.abs(position - wanted) < distance) {
      distance = Math.abs(position - wanted);
      best = index;
    }
  });
  return best;
}

/** Viewports scroll together: what the reader scrolls leads, the others follow. */
export function linker(services: Services): { moved: (viewportId: string) => void; set: (on: boolean) => void; begin: () => void } {
  const { viewportGridService, cornerstoneViewportService } = services;
  let on = true;
  /** Viewport and its series -> position when it was linked. */
  const anchors = new Map<string, number>();
  const plane = (imageId: string | undefined) => (imageId ? planeOf(window.cornerstone?.metaData.get("imagePlaneModule", imageId) as PlaneModule | undefined) : null);
  const keyOf = (id: string) => `${id} ${viewportGridService.getState().viewports.get(id)?.displaySetInstanceUIDs[0] ?? ""}`;
  const now = (id: string): { viewport: CornerstoneViewport; at: Plane; key: string } | null => {
    const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
    const at = plane(viewport?.getCurrentImageId?.());
    return viewport && at ? { viewport, at, key: keyOf(id) } : null;
  };
  return {
    begin: () => {
      on = true;
      anchors.clear();
    },
    set: (next) => {
      on = next;
      anchors.clear();
      for (const id of viewportGridService.getState().viewports.keys()) {
        const own = now(id);
        if (own) anchors.set(own.key, own.at.position);
      }
    },
    moved: (id) => {
      const own = now(id);
      if (!own) return;
      if (!anchors.has(own.key)) anchors.set(own.key, own.at.position);
      const { activeViewportId, viewports } = viewportGridService.getState();
      if (!on || id !== activeViewportId) return;
      for (const other of viewports.keys()) {
        if (other === id) continue;
        const follower = now(other);
        if (!follower?.viewport.setImageIdIndex) continue;
        const to = anchors.get(follower.key) ?? follower.at.position;
        anchors.set(follower.key, to);
        const wanted = targetPosition(own.at, follower.at, { from: anchors.get(own.key) ?? own.at.position, to });
        if (wanted === null) continue;
        const index = nearest((follower.viewport.getImageIds?.() ?? []).map((imageId) => plane(imageId)?.position ?? null), wanted);
        if (index >= 0 && index !== follower.viewport.getCurrentImageIdIndex?.()) void follower.viewport.setImageIdIndex(index);
      }
    },
  };
}
