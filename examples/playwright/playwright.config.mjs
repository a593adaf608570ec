import { defineConfig } from "@playwright/test";

// CHROMIUM names a browser that is there already; without it `npx playwright install chromium` brings one.
const executablePath = process.env.CHROMIUM;

export default defineConfig({
  testDir: ".",
  use: {
    launchOptions: executablePath ? { executablePath, args: ["--no-sandbox"] } : {},
    userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  },
});
