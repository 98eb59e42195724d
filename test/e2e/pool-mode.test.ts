/** Pool mode three levels deep, on real sockets with Noise: a server with its node, one in pool mode above it, one above that, miners on top. */
import { describe, expect, test } from "vitest";
import { BusyMiner, type BusyOptions, flagsOf } from "../support/busy-miner.ts";
import { poolLevel } from "../support/pool-level.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const ONE_BY_ONE = { ackBatchSize: 1 };
const KINDS: readonly BusyOptions["kind"][] = ["extended", "group", "standard"];

describe.each(["aggregated", "per_miner"] as const)("three levels, %s", (channels) => {
  test.each(KINDS)(
    "shares of %s channels get to the bottom and are credited on each level as accepted there",
    async (kind) => {
      const bottom = await startServer({ mining: ONE_BY_ONE });
      const middle = await poolLevel({ pools: [bottom.address], channels, rollableBytes: 12, mining: ONE_BY_ONE });
      await middle.minesFor("a");
      const top = await poolLevel({ pools: [middle.address], channels, mining: ONE_BY_ONE });
      await top.minesFor("a");
      const busy = await BusyMiner.start(await top.miner(flagsOf(kind)), {
        kind,
        channels: 2,
        userIdentity: "alice.rig",
      });
      await busy.mineOn(20);
      await busy.stop();
      expect(busy.refused).toEqual([]);
      await until("all is credited below", () => bottom.credits.length >= busy.accepted);
      for (const level of [top, middle]) {
        expect(level.credits.length).toBe(busy.accepted);
        expect(level.credits.every(({ pool }) => pool === "a")).toBe(true);
      }
      expect(bottom.credits.length).toBe(busy.accepted);
      expect(top.credits[0]?.userIdentity).toBe("alice.rig");
      expect(new Set(bottom.credits.map(({ userIdentity }) => userIdentity))).toEqual(new Set(["farm.rig"]));
    },
  );
});
