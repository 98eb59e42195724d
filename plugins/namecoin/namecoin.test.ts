import { describe, expect, test } from "vitest";
import { plugin } from "./index.ts";

describe("namecoin", () => {
  const daemons = [{ url: "http://127.0.0.1:8336" }];

  test("has Namecoin's name, coin and wish for the driver's choice of templates", () => {
    expect([plugin.name, plugin.coin, plugin.defaults]).toEqual([
      "namecoin",
      { symbol: "NMC", decimals: 8 },
      { prefer: "newest", expiryMs: 120_000 },
    ]);
  });

  test("the slowest poll that can be configured comes long before work expires", () => {
    expect(plugin.config.safeParse({ payout: "N1", daemons, poll_s: 60 }).success).toBe(true);
    expect(plugin.config.safeParse({ payout: "N1", daemons, poll_s: 61 }).success).toBe(false);
    expect(plugin.defaults?.expiryMs).toBeGreaterThanOrEqual(2 * 60_000);
  });

  test("an address and a daemon are enough", () => {
    const table = plugin.config.parse({ payout: "N1", daemons });
    expect(table).toMatchObject({ payout: "N1", poll_s: 2, daemons: [{ notice: "auto", rpc_timeout_s: 10 }] });
  });

  test("a misspelt key is named", () => {
    const { error } = plugin.config.safeParse({ payout: "N1", daemons, pol_s: 1 });
    expect(error?.issues[0]?.message).toContain("pol_s");
  });
});
