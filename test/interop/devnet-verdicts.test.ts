/**
 * The devnet's chain against a real Bitcoin Core (BITCOIND or the PATH): the same blocks, broken in every way, get the same
 * answers in the same order. With RECORD=1 Core's answers are written to test/vectors/core-block-verdicts.json, which the
 * unit tests hold the devnet to.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { type BlockData, decodeBlock, withCoinbaseWitness } from "../../src/devnet/node/block-data.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { toHex } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { blockConversation } from "../support/block-conversation.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { findBitcoind, RegtestNode } from "./regtest-node.ts";

const binary = findBitcoind();
if (binary === undefined) console.warn("SKIPPED: no bitcoind found; set BITCOIND to its path to test against it");

/** The bytes of a block with fewer than 253 transactions. */
function bytesOf({ block }: BlockData): Uint8Array {
  const { headerBytes, rawTransactions } = block;
  return new Uint8Array(Buffer.concat([headerBytes, Buffer.of(rawTransactions.length), ...rawTransactions]));
}

describe.skipIf(binary === undefined)("devnet and Bitcoin Core", () => {
  let core: RegtestNode;
  const devnet = new DevnetNode(
    { clock: systemClock, random: seededRandom(1), log: silentLog },
    { transactions: { atLeast: 0 } },
  );
  const submit = async (block: Uint8Array): Promise<unknown> => core.call("submitblock", toHex(block));

  beforeAll(async () => {
    // Synthetic transactions are not standard; regtest's deployment that exists for Core's tests alone is never active.
    const args = ["-acceptnonstdtxn=1", "-vbparams=testdummy:-2:0"];
    core = await RegtestNode.create(binary ?? "", "verdicts", args);
    await core.start();
    await devnet.start(new AbortController().signal);
  }, 60_000);

  afterAll(async () => {
    await devnet.stop();
    await core?.remove();
  });

  test("agree about the history that the devnet starts with", async () => {
    for (let height = 1; height <= devnet.chain.tip.height; height++) {
      const data = devnet.chain.at(height)?.data;
      if (data === undefined) throw new Error(`no block ${height}`);
      expect(await submit(bytesOf(data))).toBe(null);
    }
  }, 60_000);

  test("agree about every block of the conversation", async () => {
    const now = (): number => Math.floor(systemClock.nowMs() / 1000);
    const verdicts: Record<string, string | null> = {};
    const differences: unknown[] = [];
    for (const { name, block } of blockConversation(devnet, now)) {
      const theirs = z.union([z.string(), z.null()]).parse(await submit(block));
      const ours = devnet.chain.submit(withCoinbaseWitness(decodeBlock(block)));
      const tip = await core.call("getbestblockhash");
      if (ours !== theirs || tip !== devnet.chain.tip.key) {
        differences.push({ name, ours, theirs, ourTip: devnet.chain.tip.key, theirTip: tip });
      }
      verdicts[name] = theirs;
    }
    if (process.env.RECORD !== undefined) {
      const version = execFileSync(binary ?? "", ["--version"], { encoding: "utf8" }).split("\n")[0];
      const file = new URL("../vectors/core-block-verdicts.json", import.meta.url);
      const made = "RECORD=1 BITCOIND=… npx vitest run test/interop/devnet-verdicts.test.ts";
      writeFileSync(file, `${JSON.stringify({ source: version, made, verdicts }, null, 2)}\n`);
    }
    expect(differences).toEqual([]);
  }, 120_000);

  test("agree about blocks full of synthetic transactions, and about the template behind them", async () => {
    const busy = new DevnetNode(
      { clock: systemClock, random: seededRandom(2), log: silentLog },
      { transactions: { atLeast: 40 }, peer: devnet },
    );
    busy.prepare();
    for (const key of await busy.generate(25)) {
      const data = busy.chain.find(key)?.data;
      if (data === undefined) throw new Error(`no block ${key}`);
      expect(data.txs.length).toBeGreaterThan(40);
      expect(await submit(bytesOf(data))).toBe(null);
    }
    for (const { raw } of busy.mempool.entries()) await core.call("sendrawtransaction", toHex(raw), 0, 1);
    const template = z.looseObject({ transactions: z.array(z.looseObject({ txid: z.string() })) });
    const request = { rules: ["segwit"] };
    const theirs = template.parse(await core.call("getblocktemplate", request));
    const ours = template.parse(await busy.call("getblocktemplate", [request]));
    // The order of transactions may differ, and with it what is counted along it or hashed over it.
    const facts = ({ transactions, ...rest }: typeof ours): unknown => ({
      ...rest,
      curtime: 0,
      longpollid: "",
      default_witness_commitment: "",
      transactions: transactions
        .map(({ depends, ...each }) => ({ ...each, depends: (depends as unknown[]).length }))
        .sort((a, b) => a.txid.localeCompare(b.txid)),
    });
    expect(ours.transactions.length).toBeGreaterThanOrEqual(40);
    expect(facts(ours)).toEqual(facts(theirs));
    await busy.stop();
  }, 120_000);
});
