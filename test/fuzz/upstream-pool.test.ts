/** A pool that sends anything that its messages can hold, at any time: it costs that connection at most, and every share gets its one answer. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryMessage } from "../support/arbitraries.ts";
import { encodeMessage, type Fields, type Name } from "../support/messages.ts";
import { ROWS } from "../support/sv2-tables.ts";
import { poolJobMessage, prevHashMessage, settle, shareOf, upstreamStage } from "../support/upstream-stage.ts";

/** Ids that mean something on the played connection, and some that do not. */
const id = fc.constantFrom(1, 2, 2, 2, 3, 9, 50);
const jobId = fc.integer({ min: 0, max: 4 });
const flag = fc.boolean();

/** What a pool sends, mostly about things that are there. */
const sensible: fc.Arbitrary<readonly [Name, Fields<Name>]> = fc.oneof(
  fc
    .record({ channelId: id, jobId, minNtime: fc.constantFrom(null, 1_700_000_001), versionRollingAllowed: flag })
    .map((changes) => ["NewExtendedMiningJob", poolJobMessage(changes)] as const),
  fc
    .record({ channelId: id, maximumTarget: fc.uint8Array({ minLength: 32, maxLength: 32 }) })
    .map((value) => ["SetTarget", value] as const),
  fc
    .record({ channelId: id, extranoncePrefix: fc.uint8Array({ minLength: 0, maxLength: 4 }) })
    .map((value) => ["SetExtranoncePrefix", value] as const),
  fc
    .record({ groupChannelId: fc.constantFrom(1, 50), channelIds: fc.array(id, { maxLength: 3 }) })
    .map((value) => ["SetGroupChannel", value] as const),
  fc
    .record({ channelId: id, lastSequenceNumber: jobId, newSubmitsAcceptedCount: jobId, newSharesSum: fc.constant(1n) })
    .map((value) => ["SubmitSharesSuccess", value] as const),
  fc
    .record({ channelId: id, sequenceNumber: jobId, errorCode: fc.constant("stale-share") })
    .map((value) => ["SubmitSharesError", value] as const),
  fc.record({ channelId: id, reasonCode: fc.constant("") }).map((value) => ["CloseChannel", value] as const),
  fc.record({ channelId: id }).map((value) => ["ChannelEndpointChanged", value] as const),
);

const MINING_ROWS = ROWS.filter(({ codec }) => codec.extensionType <= 1).filter(({ row }) => row.to !== "server");

/** Any message to a client with anything in it, as a frame. */
const any = fc
  .constantFrom(...MINING_ROWS)
  .chain(({ codec, name, row }) => arbitraryMessage(row).map((value) => codec.encode(name, value as never)));

/** A new block as pools announce it, or about a job that may not be there. */
const block = fc
  .record({ channelId: id, jobId })
  .map((changes) => encodeMessage("SetNewPrevHash", prevHashMessage(changes)));
const wholeBlock = fc
  .record({ channelId: id, jobId })
  .map((changes) => [
    encodeMessage("NewExtendedMiningJob", poolJobMessage(changes)),
    encodeMessage("SetNewPrevHash", prevHashMessage(changes)),
  ]);

const step = fc.oneof(
  { weight: 30, arbitrary: sensible.map(([name, value]) => [encodeMessage(name, value as never)]) },
  { weight: 8, arbitrary: wholeBlock },
  { weight: 1, arbitrary: fc.oneof(any, block).map((frame) => [frame]) },
  { weight: 15, arbitrary: fc.constantFrom("share" as const, "wait" as const) },
);

describe.each(["aggregated", "per_miner"] as const)("with channels %s", (channels) => {
  test("any conversation goes on or ends with a fault, and answers each share once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const stage = upstreamStage({ channels });
        await stage.run();
        const { connection, clock, server } = stage;
        const channel =
          channels === "per_miner"
            ? connection.open({ userIdentity: "a.b", nominalHashrate: 1e9, maxTarget: 1n }, () => undefined)
            : undefined;
        clock.advance(1);
        const answers: number[] = [];
        for (const one of steps) {
          const job = channel?.current()?.job ?? connection.currentJob();
          if (one === "wait") clock.advance(7_000);
          else if (one !== "share") for (const frame of one) server.sendFrame(frame);
          else if (job !== undefined) {
            const at = answers.push(0) - 1;
            const isSent = connection.submit(shareOf(job), () => {
              answers[at] = (answers[at] ?? 0) + 1;
            });
            if (!isSent) answers[at] = 1;
          }
        }
        await settle();
        await stage.stop();
        expect(answers.filter((count) => count !== 1)).toEqual([]);
        // A mistake of ours would be told as one.
        expect(stage.log.lines.filter(({ level }) => level === "error")).toEqual([]);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
