// Makes a TypeScript client of an OpenAPI document, compiles it strictly with a program, and runs that:
// node client.mjs OPENAPI PROGRAM FOLDER URL KEY. The program's `run(client)` gives what is printed as JSON.
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import createClient from "openapi-fetch";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [openapi, program, folder, url, key] = process.argv.slice(2);
const types = join(folder, "api.d.ts");
await writeFile(types, astToString(await openapiTS(JSON.parse(await readFile(openapi, "utf8")))));
const source = join(folder, "program.mts");
await copyFile(program, source);

const built = ts.createProgram([source, types], {
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  paths: { "openapi-fetch": [fileURLToPath(new URL("index.d.mts", import.meta.resolve("openapi-fetch")))] },
});
const emitted = built.emit();
const wrong = [...ts.getPreEmitDiagnostics(built), ...emitted.diagnostics];
if (wrong.length) {
  console.error(ts.formatDiagnostics(wrong, ts.createCompilerHost({})));
  process.exit(1);
}
const { run } = await import(pathToFileURL(join(folder, "program.mjs")).href);
console.log(JSON.stringify(await run(createClient({ baseUrl: url, headers: { "X-API-Key": key } }))));
