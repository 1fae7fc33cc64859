// What the TypeScript client of any service is asked for: what every service has. See test_node_tools.py.
import type { Client } from "openapi-fetch";
import type { paths } from "./api.d.ts";

export async function run(client: Client<paths>): Promise<unknown> {
  const listed = await client.GET("/v1/dead-letters", { params: { query: { limit: 5 } } });
  const missing = await client.POST("/v1/dead-letters/{letter_id}/replays", {
    params: { path: { letter_id: "00000000-0000-0000-0000-000000000007" } },
    body: { reason: "from TypeScript" },
  });
  return { status: listed.response.status, letters: listed.data?.items.length, missing: missing.error?.type };
}
