// Names of the TypeScript types that a generator makes of each JSON Schema: node types.mjs FILE... Prints JSON.
import { basename } from "node:path";
import { compileFromFile } from "json-schema-to-typescript";

const made = {};
for (const file of process.argv.slice(2)) {
  const code = await compileFromFile(file, { maxItems: -1, bannerComment: "" });
  made[basename(file)] = [...code.matchAll(/^export (?:interface|type|enum) (\w+)/gm)].map((match) => match[1]);
}
console.log(JSON.stringify(made));
