import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The Python package carries the built app, so that a wheel needs no Node where it is installed.
const server = process.env.HELIOGRAPH_DEV_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/app/",
  plugins: [react()],
  build: {
    outDir: "../src/heliograph/app/static/app",
    emptyOutDir: true,
    target: "es2022",
    // Fonts stay files of their own: the content policy has no data: source for them.
    assetsInlineLimit: 0,
    // The polyfill would be an inline script; every browser we support preloads modules by itself.
    modulePreload: { polyfill: false },
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(["/api", "/dicomweb", "/viewer", "/health"].map((path) => [path, { target: server }])),
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}", "viewer/**/*.test.ts"] },
});
