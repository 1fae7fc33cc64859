// Shows the contracts as pages that load nothing from elsewhere: node pages.mjs OUT ASYNCAPI OPENAPI...
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { Parser } from "@asyncapi/parser";
import React from "react";
import { renderToStaticMarkup } from "react-dom/server";

const require = createRequire(import.meta.url);
const AsyncApi = require("@asyncapi/react-component/lib/cjs/containers/AsyncApi/Standalone.js").default;

const [out, asyncapi, ...openapis] = process.argv.slice(2);
await mkdir(out, { recursive: true });

// JSON inside a script element
function embedded(text) {
  return text.replaceAll("<", "\\u003c");
}

function page(title, head, body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="img-src data:">
<style>body { font-family: sans-serif; margin: 0 }</style>
<title>${title}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`;
}

// without scripts the page shows what the component opens by itself; its script then takes over
const EVENTS_HEAD = `<link rel="stylesheet" href="asyncapi.css">
<style>.prose code::before, .prose code::after { content: none !important }</style>`;
const CONFIG = { show: { errors: false, sidebar: true }, expand: { messageExamples: false } };

const events = await readFile(asyncapi, "utf8");
const { document, diagnostics } = await new Parser().parse(events);
if (!document) throw new Error(JSON.stringify(diagnostics));
const shown = renderToStaticMarkup(React.createElement(AsyncApi, { schema: document, config: CONFIG }));
const COMPONENT = "@asyncapi/react-component";
await copyFile(require.resolve(`${COMPONENT}/styles/default.min.css`), join(out, "asyncapi.css"));
await copyFile(require.resolve(`${COMPONENT}/browser/standalone/index.js`), join(out, "asyncapi.js"));
await writeFile(
  join(out, "events.html"),
  page(
    "BD CAN Plus: events",
    EVENTS_HEAD,
    `<main id="events">${shown}</main>
<script src="asyncapi.js"></script>
<script type="application/json" id="document">${embedded(JSON.stringify(events))}</script>
<script>
AsyncApiStandalone.render({ schema: JSON.parse(document.getElementById("document").textContent),
  config: ${JSON.stringify(CONFIG)} }, document.getElementById("events"));
</script>`,
  ),
);

await copyFile(require.resolve("redoc/bundles/redoc.standalone.js"), join(out, "redoc.js"));
const names = [];
for (const path of openapis) {
  const text = await readFile(path, "utf8");
  const { info } = JSON.parse(text);
  const name = basename(path, ".json");
  names.push([name, info.title]);
  const body = `<div id="api"></div>
<script src="redoc.js"></script>
<script type="application/json" id="document">${embedded(text)}</script>
<script>
Redoc.init(JSON.parse(document.getElementById("document").textContent), { disableSearch: false, hideDownloadButton: true,
  theme: { typography: { fontFamily: "sans-serif", headings: { fontFamily: "sans-serif" } } } }, document.getElementById("api"));
</script>`;
  await writeFile(join(out, `${name}.html`), page(info.title, "", body));
}

const list = names.map(([name, title]) => `<li><a href="${name}.html">${title}</a></li>`).join("\n");
await writeFile(
  join(out, "index.html"),
  page(
    "BD CAN Plus: contracts",
    "<style>body { font-family: sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 40rem; line-height: 1.5 }</style>",
    `<h1>BD CAN Plus: contracts</h1>
<p><a href="events.html">Events on Kafka</a> (AsyncAPI), and the API of each service (OpenAPI):</p>
<ul>
${list}
</ul>`,
  ),
);
