import { describe, expect, test } from "vitest";
import { plugin } from "./index.ts";

describe("namecoin", () => {
  const daemons = [{ url: "http://127.0.0.1:8336" }];

  test("has Namecoin's name, coin and wish for the driver's choice of templates", () => {
    expect([plugin.name, plugin.coin, plugin.defaults]).toEqual([
      "namecoin",
      { symbol: "NMC", decimals: 8 },
      { prefer: "newest" },
    ]);
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
