import { defineConfig } from "vite";

// One classic script: OHIF reads window.config when its own deferred bundle starts.
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  build: {
    outDir: "../../src/heliograph/app/static/viewer-extension",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    lib: { entry: "main.ts", formats: ["iife"], name: "heliograph", fileName: () => "heliograph.js" },
  },
});
