import type { AuxWork, Host } from "bllvm-stratum-v2/plugin";
import { fromHex, toHex } from "bllvm-stratum-v2/plugin";
import { expect, test } from "vitest";
import { plugin } from "./index.ts";

/** A host for `commit`, which needs none. */
const host = { clock: {}, folder: "/", signal: new AbortController().signal } as unknown as Host;

test("syscoin commits to its leaf and to the output that its daemon asked for, and forbids its tag elsewhere", () => {
  const table = plugin.config.parse({ payout: "sys1q", daemons: [{ url: "http://127.0.0.1:8370" }] });
  const chain = plugin.open(table, host);
  const script = `6a27737973${"cd".repeat(32)}10270000`;
  const work: AuxWork = {
    id: "ab".repeat(32),
    hash: fromHex("ab".repeat(32)),
    parent: "00",
    height: 2_248_408,
    target: 1n,
    value: 1n,
    details: { daemon: "a", coinbasescript: script },
  };
  const [leaf, output] = [chain.commit(work)].flat();
  expect(leaf).toEqual({ kind: "auxpow", chainId: 16, hash: work.hash, strictChainId: true });
  if (output?.kind !== "output") throw new Error("there is no output");
  expect([toHex(output.script), toHex(output.forbid ?? new Uint8Array())]).toEqual([script, "737973"]);
});
