import { expect, test } from "vitest";
import { plugin } from "./index.ts";

test("fractal has Fractal's name and coin, and takes an address and a daemon", () => {
  expect([plugin.name, plugin.coin]).toEqual(["fractal", { symbol: "FB", decimals: 8 }]);
  const daemons = [{ url: "http://127.0.0.1:8342", zmq_hashblock: "tcp://127.0.0.1:28342" }];
  expect(plugin.config.safeParse({ payout: "bc1", daemons }).success).toBe(true);
  expect(plugin.config.safeParse({ daemons }).success).toBe(false);
});
