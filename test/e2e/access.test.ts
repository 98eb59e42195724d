/** Who may mine, over real sockets: the three policies, and SRI's pool_solo_mining refusals as far as they are about names. */
import { describe, expect, test } from "vitest";
import { allowListAuthoriser, payoutAddressAuthoriser } from "../../src/pool/authoriser.ts";
import { encodeUserIdentity } from "../../src/sv2/tlv.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { EASIEST_TARGET, type MockMiner } from "../support/mock-miner.ts";
import { startServer, type TestServerOptions } from "../support/server.ts";

/** BIP173's example address for testnets. */
const ADDRESS = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx";

/** What a server says to both kinds of channels for `userIdentity`: the error code, or `undefined`. */
async function verdicts(client: MockMiner, userIdentity: string): Promise<(string | undefined)[]> {
  const open = { requestId: 1, userIdentity, nominalHashRate: 1, maxTarget: EASIEST_TARGET };
  client.send("OpenExtendedMiningChannel", { ...open, minExtranonceSize: 8 });
  client.send("OpenStandardMiningChannel", open);
  const answers: (string | undefined)[] = [];
  for (let i = 0; i < 2; i++) {
    const answer = await client.inbox.next(({ name }) => /Open.*(Error|Success)/.test(name), "an answer", 5000);
    answers.push(answer.name === "OpenMiningChannelError" ? answer.value.errorCode : undefined);
  }
  return answers;
}

describe.each<[string, Pick<TestServerOptions, "authoriser">, string[], [string, string][]]>([
  ["open", {}, ["", "alice", "sri/solo/tb1qbalieiro/worker.1", `${ADDRESS}.rig`], []],
  [
    "allow list",
    { authoriser: allowListAuthoriser(["alice", "bob.*"]) },
    ["alice", "bob", "bob.rig.1"],
    [
      ["mallory", "unknown-user"],
      ["alice.rig", "unknown-user"],
      ["", "unknown-user"],
    ],
  ],
  [
    "payout address",
    { authoriser: payoutAddressAuthoriser("testnet4") },
    [ADDRESS, `${ADDRESS}.worker.1`],
    [
      ["sri/solo/tb1qbalieiro/worker.1", "invalid-user-identity"],
      ["sri/worker.1", "invalid-user-identity"],
      ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "invalid-user-identity"],
      ["", "invalid-user-identity"],
    ],
  ],
])("policy %s", (_policy, options, welcome, refused) => {
  test("both kinds of channels are opened for whom it lets in, and refused for others; the connection stays", async () => {
    const { miner } = await startServer(options);
    const client = await miner();
    for (const identity of welcome) expect(await verdicts(client, identity), identity).toEqual([undefined, undefined]);
    for (const [identity, code] of refused) expect(await verdicts(client, identity), identity).toEqual([code, code]);
  });
});

test("a worker that may not mine costs its share, not the others'", async () => {
  const { miner, credits } = await startServer({
    authoriser: allowListAuthoriser(["farm", "farm.rig-1", "rig-1"]),
    mining: { ackBatchSize: 1 },
  });
  const client = await miner();
  client.send("RequestExtensions", { requestId: 1, requestedExtensions: [2] });
  await client.expect("RequestExtensionsSuccess");
  const channel = await MockChannel.extended(client, { userIdentity: "farm" });
  channel.submit(channel.find(), encodeUserIdentity("rig-1"));
  await client.expect("SubmitSharesSuccess");
  channel.submit(channel.find(), encodeUserIdentity("stranger"));
  expect(await client.expect("SubmitSharesError")).toMatchObject({ errorCode: "unknown-user" });
  channel.submit(channel.find());
  await client.expect("SubmitSharesSuccess");
  expect(credits.map(({ userIdentity }) => userIdentity)).toEqual(["farm.rig-1", "farm"]);
});
