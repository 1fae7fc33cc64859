// Checks an AsyncAPI document with the official parser: node asyncapi.mjs FILE. Prints what is wrong with it.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const WARNING = 1;
const KNOWN = new Set(["asyncapi-latest-version"]); // 3.0 is meant

const { diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
const found = diagnostics.filter((one) => one.severity <= WARNING && !KNOWN.has(one.code));
for (const one of found) console.error(`${one.path.join(".")}: ${one.message}`);
process.exitCode = found.length ? 1 : 0;
