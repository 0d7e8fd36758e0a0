import { fileURLToPath, URL } from "node:url";

import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const server = process.env.OPENLANCE_BASE_URL ?? "http://localhost:8000";

export default defineConfig({
  // Django serves the built files under /static/app/ and index.html at every other address (config/pages.py).
  base: "/static/app/",
  plugins: [vue()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  css: {
    preprocessorOptions: {
      // Bootstrap 5.3 still uses @import and the old colour functions; these notices are about its files, not ours.
      scss: { quietDeps: true, silenceDeprecations: ["import", "global-builtin", "color-functions", "if-function"] },
    },
  },
  build: {
    // Old Safari versions hold no promise to customers; what runs vue 3 runs this.
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        // Twelve hexadecimal digits is the form that WhiteNoise recognises as immutable and caches for ever.
        hashCharacters: "hex",
        entryFileNames: "assets/[name].[hash:12].js",
        chunkFileNames: "assets/[name].[hash:12].js",
        assetFileNames: "assets/[name].[hash:12][extname]",
      },
    },
  },
  server: {
    proxy: Object.fromEntries(["/api", "/_allauth", "/admin", "/accounts"].map((path) => [path, { target: server }])),
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
