import type { Cornerstone } from "./ohif";

/**
 * The VOI LUT function of an image (PS3.3 C.11.2.1.3), as the viewer's parts can take it.
 *
 * Its image loader takes the first item of a list where its metadata give a text: "LINEAR" becomes "L", which is no function, and the
 * image is never drawn. What is linear is left out, which means the same; other functions go under the name that the loader falls back
 * to. An unknown one counts as linear (C.11.2.1.3.1).
 */

const OTHERS: readonly unknown[] = ["LINEAR_EXACT", "SIGMOID"];
const BEFORE_OTHERS = 20_000;

interface VoiModule {
  voiLUTFunction?: unknown;
  voiLutFunction?: string;
}

export function takeable(module: VoiModule): VoiModule {
  const { voiLUTFunction: told, ...rest } = module;
  const name: unknown = Array.isArray(told) ? told[0] : told;
  return OTHERS.includes(name) ? { ...rest, voiLutFunction: name as string } : rest;
}

/** Stands before the viewer's own metadata, and asks it. */
export function mendVoi(metaData: Cornerstone["metaData"]): void {
  let asking = false;
  metaData.addProvider((type, imageId) => {
    if (type !== "voiLutModule" || asking) return undefined;
    asking = true;
    try {
      const module = metaData.get(type, imageId) as VoiModule | undefined;
      return module?.voiLUTFunction === undefined ? module : takeable(module);
    } finally {
      asking = false;
    }
  }, BEFORE_OTHERS);
}
