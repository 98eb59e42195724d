/** Whatever bytes come, in whatever pieces: the process lives, memory is bounded, and the next connection is as good as the first. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientWorld, golden } from "../../../../support/bllvm-client.ts";

const FRAMES = [
  "head.event.new_block",
  "head.resp.hash",
  "head.invocation.cli",
  "head.resp.error",
  "head.log.info",
  "head.req.subscribe",
];

describe("a hostile peer", () => {
  test("ends its connection at most, at any point of the conversation", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 }),
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 64 }),
            fc.constantFrom(...FRAMES).map(golden),
            fc.tuple(fc.constantFrom(...FRAMES), fc.nat(60), fc.nat(255)).map(([name, at, byte]) => {
              const frame = Uint8Array.from(golden(name));
              frame[4 + (at % (frame.length - 4))] = byte;
              return frame;
            }),
          ),
          { maxLength: 8 },
        ),
        async (stage, pieces) => {
          const { client, start, last, settle, passServed, peers } = clientWorld();
          client.serve({
            methods: [],
            apiVersion: 1,
            cli: { name: "x", about: "x", subcommands: [] },
            handler: async () => ({ type: "error", error: "no" }),
          });
          await start();
          const peer = last();
          peer.open();
          if (stage > 0) peer.send(golden("head.resp.handshake_ack"));
          if (stage > 1) peer.send(golden("head.resp.subscribe_ack"));
          for (const piece of pieces) peer.send(piece);
          await settle();
          peer.close();
          await passServed(2_000);
          expect(peers.length).toBeGreaterThan(1);
          expect(client.state().phase).toBe("up");
          await client.stop();
        },
      ),
      { numRuns: 300, seed: 20261201 },
    );
  });
});
