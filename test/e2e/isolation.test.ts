/** Our own mistakes: one bad session never harms the others. */
import { expect, test } from "vitest";
import { openAuthoriser } from "../../src/pool/authoriser.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { EASIEST_TARGET } from "../support/mock-miner.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

test("an unexpected error closes the session that it happened in, is logged with its code and counted", async () => {
  const { miner, meter, log, server } = await startServer({
    mining: { ackBatchSize: 1 },
    authoriser: {
      authorise(userIdentity) {
        if (userIdentity === "trigger") throw new TypeError("cannot read properties of undefined");
        return openAuthoriser().authorise(userIdentity);
      },
    },
  });
  const steady = await MockChannel.extended(await miner());
  const unlucky = await miner();
  unlucky.send("OpenStandardMiningChannel", {
    requestId: 1,
    userIdentity: "trigger",
    nominalHashRate: 1,
    maxTarget: EASIEST_TARGET,
  });
  await unlucky.closed;
  expect(meter.byLabel("connections_dropped_total")).toEqual({ "session-failed": 1 });
  const line = log.find(({ level }) => level === "error");
  expect(line).toMatchObject({ fields: { code: "session-failed", peer: expect.stringContaining("127.0.0.1:") } });
  expect(line?.message).toContain("cannot read properties of undefined");
  await until("the session is gone", () => server.connections === 1);
  steady.submit(steady.find());
  await steady.miner.expect("SubmitSharesSuccess");
});

test("a fan-out goes on behind a session that fails in it", async () => {
  const failing = new Set<number>();
  const { miner, source, meter } = await startServer({ mining: { ackBatchSize: 1 } });
  const channels = [];
  for (let i = 0; i < 5; i++) channels.push(await MockChannel.extended(await miner()));
  channels[2]?.miner.reset();
  failing.add(2);
  source.newBlock();
  for (const [i, channel] of channels.entries()) if (!failing.has(i)) await channel.miner.next("SetNewPrevHash");
  expect(meter.observations("job_fanout_seconds").count).toBeGreaterThanOrEqual(1);
});
