// What the TypeScript client of intake is asked for: a referral, the same once more, and a list. See test_node_tools.py.
import type { Client } from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

export async function run(client: Client<paths>): Promise<unknown> {
  const body: components["schemas"]["ReferralForm"] = {
    channel: "phone",
    person: { name: "Test Person", phone: "020 7946 0018" },
    needs: ["food-parcel"],
    diets: [],
    flags: [],
    outreach: false,
  };
  const header = { "Idempotency-Key": "from-typescript" };
  const made = await client.POST("/v1/referrals", { body, params: { header } });
  const again = await client.POST("/v1/referrals", { body, params: { header } });
  const listed = await client.GET("/v1/referrals", { params: { query: { limit: 5 } } });
  const missing = await client.GET("/v1/referrals/{referral_id}", {
    params: { path: { referral_id: "00000000-0000-0000-0000-000000000007" } },
  });
  return {
    status: made.response.status,
    same: made.data?.referral_id === again.data?.referral_id,
    listed: listed.data?.items.length,
    missing: missing.error?.type,
  };
}
