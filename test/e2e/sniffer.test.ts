/** The man in the middle itself: SRI's test_sniffer_interception and test_sniffer_wait_for_message_type_with_remove. */
import { describe, expect, test } from "vitest";
import { InboxTimeout } from "../support/inbox.ts";
import { encodeMessage } from "../support/messages.ts";
import { MockMiner, SETUP_CONNECTION } from "../support/mock-miner.ts";
import { startServer } from "../support/server.ts";
import { replaceBy, sniff } from "../support/sniffer.ts";

for (const noise of [true, false]) {
  describe(`Sniffer, ${noise ? "Noise on both sides" : "plain"}`, () => {
    test("records both directions in order and passes everything on", async () => {
      const pool = await startServer({ noise });
      const sniffer = await sniff(pool);
      const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
      await client.setup();
      await client.openStandard();
      await client.next("SetNewPrevHash");
      expect(sniffer.messages("toUpstream").map(({ name }) => name)).toEqual([
        "SetupConnection",
        "OpenStandardMiningChannel",
      ]);
      expect(sniffer.messages("toDownstream").map(({ name }) => name)).toEqual([
        "SetupConnectionSuccess",
        "OpenStandardMiningChannelSuccess",
        "NewMiningJob",
        "SetNewPrevHash",
      ]);
    });

    test("test_sniffer_interception: replaces one message and ignores another", async () => {
      const pool = await startServer({ noise });
      const sniffer = await sniff(
        pool,
        {
          direction: "toDownstream",
          name: "SetupConnectionSuccess",
          action: replaceBy("SetupConnectionError", { flags: 0, errorCode: "unsupported-protocol" }),
        },
        { direction: "toUpstream", name: "CloseChannel", action: "ignore" },
      );
      const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
      client.send("SetupConnection", SETUP_CONNECTION);
      expect(await client.expect("SetupConnectionError")).toEqual({ flags: 0, errorCode: "unsupported-protocol" });
      await sniffer.waitFor("toDownstream", "SetupConnectionSuccess");
      client.sendFrame(encodeMessage("CloseChannel", { channelId: 1, reasonCode: "" }));
      await sniffer.waitFor("toUpstream", "CloseChannel");
      await client.openStandard();
    });

    test("waitFor takes what was read away, assertAbsent sees the rest", async () => {
      const pool = await startServer({ noise });
      const sniffer = await sniff(pool);
      const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
      await client.setup();
      await client.openStandard();
      await client.next("SetNewPrevHash");
      await sniffer.waitFor("toDownstream", "NewMiningJob");
      await sniffer.assertAbsent("toDownstream", "OpenStandardMiningChannelSuccess", 0);
      await expect(sniffer.assertAbsent("toDownstream", "SetNewPrevHash", 0)).rejects.toThrow(
        "SetNewPrevHash was sent",
      );
      expect(sniffer.next("toDownstream")?.name).toBe("SetNewPrevHash");
      expect(sniffer.next("toDownstream")).toBeUndefined();
      await expect(sniffer.waitFor("toDownstream", "NewMiningJob", 20)).rejects.toThrow(InboxTimeout);
    });

    test("a side that closes takes the other one with it", async () => {
      const pool = await startServer({ noise });
      const sniffer = await sniff(pool);
      const client = await MockMiner.connect(sniffer.address, { noise: pool.initiator() });
      await client.setup();
      await pool.stop();
      expect(await client.closed).toBeUndefined();
    });
  });
}
