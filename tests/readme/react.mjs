// Bundles a React component, mounts it in Chromium, clicks its button and prints the page once it shows an answer.
// node react.mjs COMPONENT.tsx URL, from the directory of the console, which has the packages.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [, , component, url] = process.argv;
const here = path.join(process.cwd(), "package.json");
const require = createRequire(here);
const { build } = await import(pathToFileURL(require.resolve("vite")));
const { chromium } = require("playwright-core");

const ENTRY = `
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { Chat } from ${JSON.stringify(component)};
createRoot(document.body).render(createElement(Chat));
`;

const plugin = {
  name: "packages-of-the-console",
  enforce: "pre",
  async resolveId(id, importer) {
    if (id === "virtual:entry") return id;
    const bare = importer && !id.startsWith(".") && !path.isAbsolute(id);
    return bare && [component, "virtual:entry"].includes(importer) ? this.resolve(id, here, { skipSelf: true }) : null;
  },
  load: (id) => (id === "virtual:entry" ? ENTRY : null),
};

const { output } = await build({
  configFile: false,
  root: path.dirname(component),
  logLevel: "error",
  plugins: [plugin],
  define: { "process.env.NODE_ENV": '"production"' },
  build: { write: false, minify: false, rollupOptions: { input: "virtual:entry" } },
}).then((result) => [result].flat()[0]);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // A proxy that does not exist, except for the server: nothing leaves the machine.
  args: ["--no-sandbox", "--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=127.0.0.1"],
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`${url}/ok`);
  for (const chunk of output.filter((part) => part.type === "chunk" && part.isEntry)) {
    await page.addScriptTag({ content: chunk.code, type: "module" });
  }
  await page.getByRole("button").click();
  await page.getByText("You asked").waitFor({ timeout: 20_000 });
  console.log(await page.locator("main").innerText());
} finally {
  await browser.close();
}
