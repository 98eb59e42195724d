import { describe, expect, test } from "vitest";
import { assembleBlock, parseBlock } from "../../../../src/bitcoin/block.ts";
import { findWitnessCommitment, witnessCommitmentScript } from "../../../../src/bitcoin/coinbase.ts";
import { sha256d } from "../../../../src/bitcoin/hash.ts";
import { foldMerklePath, merkleRoot } from "../../../../src/bitcoin/merkle.ts";
import { stripWitness } from "../../../../src/bitcoin/transaction.ts";
import { fromDisplayHex, fromHex, toDisplayHex, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { blockHeader, blockTemplate } from "../../../../src/node/bitcoind/answers.ts";
import { templateOfAnswer, templateRefusal, templateRequest } from "../../../../src/node/bitcoind/block-template.ts";
import { emptyTemplate, nextBitsRule } from "../../../../src/node/bitcoind/empty-template.ts";
import core from "../../../vectors/bitcoind-rpc.json" with { type: "json" };
import daemons from "../../../vectors/daemon-rpc.json" with { type: "json" };

const origin = { id: "n/1", source: "bitcoind", node: "n" };
const answer = blockTemplate.parse(core.template);
const make = (change: Readonly<Record<string, unknown>> = {}) =>
  templateOfAnswer(blockTemplate.parse({ ...core.template, ...change }), origin);
const faultOf = (run: () => unknown): Fault => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("no fault");
};

describe("a template of Bitcoin Core", () => {
  const template = make();
  const block = parseBlock(fromHex(core.block.hex));
  const coreCoinbase = block.rawTransactions[0] as Uint8Array;

  test("carries what the block that Core mined on it has in its header", () => {
    expect(toDisplayHex(template.prevHash)).toBe(core.block.block.previousblockhash);
    expect(template.height).toBe(core.block.block.height);
    expect(template.version).toBe(block.header.version);
    expect(template.nBits).toBe(block.header.nBits);
    expect(template.target).toBe(BigInt(`0x${core.template.target}`));
    expect(template.minTime).toBe(core.template.mintime);
    expect(template.transactionCount).toBe(block.transactions.length);
  });

  test("leads to Core's merkle root from Core's coinbase", () => {
    const root = foldMerklePath(sha256d(stripWitness(coreCoinbase)), template.merklePath);
    expect(toDisplayHex(root)).toBe(core.block.block.merkleroot);
  });

  test("assembles to Core's own block, byte for byte", () => {
    const assembled = assembleBlock(block.headerBytes, coreCoinbase, template.transactions ?? []);
    expect(toHex(assembled)).toBe(core.block.hex);
  });

  test("has the coinbase as Core writes it: height, sequence, lock time, commitment and witness", () => {
    const ours = template.coinbase;
    const theirs = block.transactions[0];
    expect(ours.txVersion).toBe(theirs?.version);
    expect(ours.sequence).toBe(theirs?.inputs[0]?.sequence);
    expect(ours.lockTime).toBe(theirs?.lockTime);
    expect(ours.witness).toEqual(theirs?.inputs[0]?.witness);
    expect(toHex(theirs?.inputs[0]?.script ?? new Uint8Array())).toMatch(new RegExp(`^${toHex(ours.prefix)}`));
    expect(ours.outputs).toEqual(theirs?.outputs.slice(1));
    expect(template.coinbaseValue).toBe(theirs?.outputs[0]?.value);
  });

  test("tells the room that is left: limits less what transactions, header and coinbase take", () => {
    const weight = answer.transactions.reduce((sum, tx) => sum + (tx.weight ?? 0), 0);
    // 85 bytes of header and count, 153 of coinbase, 47 of commitment output, and 36 weight units of witness.
    expect(template.coinbaseRoom.bytes).toBe(Math.floor((4_000_000 - weight - 4 * (85 + 153 + 47) - 36) / 4));
    const sigops = answer.transactions.reduce((sum, tx) => sum + (tx.sigops ?? 0), 0);
    expect(template.coinbaseRoom.sigops).toBe(Math.floor((80_000 - sigops) / 4));
    const full = make({ weightlimit: 1000, sigoplimit: 1 });
    expect(full.coinbaseRoom).toEqual({ bytes: 0, sigops: 0 });
  });

  test("asks for segwit, and on signet for what Core demands there", () => {
    expect(templateRequest("mainnet").rules).toEqual(["segwit"]);
    expect(templateRequest("signet").rules).toEqual(["segwit", "signet"]);
  });
});

describe("a template of another server", () => {
  test("gets a witness commitment when only transactions with witness demand one, the one that Core computed", () => {
    const { outputs, witness } = make({ default_witness_commitment: undefined }).coinbase;
    expect(outputs.map(({ script }) => toHex(script))).toEqual([core.template.default_witness_commitment]);
    expect(witness).toEqual([new Uint8Array(32)]);
    expect(findWitnessCommitment(outputs)?.index).toBe(0);
  });

  test("needs none without witness transactions", () => {
    const plain = core.template.transactions.filter((tx) => tx.txid === tx.hash);
    const template = make({ default_witness_commitment: undefined, transactions: plain });
    expect(plain.length).toBeGreaterThan(0);
    expect(template.coinbase.outputs).toEqual([]);
    expect(template.coinbase.witness).toEqual([]);
  });

  test("before segwit is limited in bytes and legacy sigops", () => {
    const template = make({
      rules: ["csv"],
      weightlimit: undefined,
      default_witness_commitment: undefined,
      transactions: core.template.transactions.slice(0, 1).map((tx) => ({ ...tx, hash: tx.txid })),
      sizelimit: 1_000_000,
      sigoplimit: 20_000,
    });
    const size = (core.template.transactions[0]?.data.length ?? 0) / 2;
    expect(template.coinbaseRoom.bytes).toBe(1_000_000 - size - 85 - 153);
    expect(template.coinbaseRoom.sigops).toBe(20_000 - (core.template.transactions[0]?.sigops ?? 0));
  });

  test("has its coinbaseaux in the coinbase as far as eight bytes reach", () => {
    expect(toHex(make({ coinbaseaux: { flags: "0a0b0c" } }).coinbase.prefix)).toBe("01700a0b0c");
    expect(toHex(make({ coinbaseaux: { flags: "" } }).coinbase.prefix)).toBe("0170");
    expect(toHex(make({ coinbaseaux: { flags: "00112233445566" } }).coinbase.prefix)).toBe("0170");
  });

  test("is refused in words when it cannot be mined", () => {
    expect(faultOf(() => make({ rules: ["csv", "!segwit", "!quantum"] })).message).toContain("rule quantum");
    expect(make({ rules: ["csv", "!segwit", "quantum"] }).height).toBe(112);
    expect(faultOf(() => make({ signet_challenge: "512103ad5e" })).code).toBe("node-signet");
    expect(make({ signet_challenge: "51", rules: ["!segwit", "!signet"] }).height).toBe(112);
    expect(faultOf(() => make({ coinbasevalue: undefined })).message).toContain("its own coinbase");
    expect(faultOf(() => make({ bits: "1d00ffff" })).message).toContain("bits and target differ");
    const [first, ...rest] = core.template.transactions;
    const broken = [{ ...first, data: `${first?.data.slice(0, -1)}x` }, ...rest];
    expect(faultOf(() => make({ transactions: broken })).message).toContain("transaction 0 is not hex");
  });

  test("and so are Core's own refusals to give one", () => {
    const rpcError = (says: string) => new Fault("node-rpc-error", { node: "n", rpcCode: -8, says });
    const signet =
      'getblocktemplate must be called with the signet rule set (call with {"rules": ["segwit", "signet"]})';
    expect((templateRefusal(rpcError(signet)) as Fault).code).toBe("node-signet");
    const rule = templateRefusal(rpcError("Support for 'quantum' rule requires explicit client support")) as Fault;
    expect([rule.code, rule.data.rule]).toEqual(["node-rule-unknown", "quantum"]);
    const other = rpcError("Invalid mode");
    expect(templateRefusal(other)).toBe(other);
    const plain = new Error("x");
    expect(templateRefusal(plain)).toBe(plain);
  });
});

describe("an empty template", () => {
  const result = (method: string): unknown => {
    const found = daemons.exchanges.find(
      ({ daemon, request, status }) => daemon === "Bitcoin Core 31.1" && request.method === method && status === 200,
    );
    return (found?.response as { result?: unknown } | undefined)?.result;
  };
  const tip = blockHeader.parse(result("getblockheader"));
  const full = templateOfAnswer(blockTemplate.parse(result("getblocktemplate")), origin);
  const empty = emptyTemplate(
    { tip, nBits: Number.parseInt(tip.bits, 16), network: "regtest", nowS: full.curTime, last: full },
    { ...origin, id: "n/2" },
  );

  test("has what Core's own template on the same block has, without its transactions and fees", () => {
    const { id, coinbaseValue, merklePath, transactions, transactionCount, coinbase, coinbaseRoom, ...more } = empty;
    const { wtxids, fees, ...rest } = more;
    expect(full).toMatchObject(rest);
    expect([wtxids, fees]).toEqual([[], []]);
    expect(full.fees?.reduce((sum, fee) => sum + fee, 0n)).toBe(2820n);
    expect(full.wtxids).toHaveLength(full.transactionCount - 1);
    expect(id).toBe("n/2");
    expect(coinbaseValue).toBe(full.coinbaseValue - 2820n);
    expect({ ...coinbase, outputs: [] }).toEqual({ ...full.coinbase, outputs: [] });
    expect([merklePath, transactions, transactionCount]).toEqual([[], [], 1]);
    expect(coinbaseRoom.bytes).toBeGreaterThan(999_000);
  });

  test("commits to the witness of nothing as Core does", () => {
    const script = empty.coinbase.outputs[0]?.script ?? new Uint8Array();
    // The commitment output of block 115 in the same recording, which has a coinbase only.
    expect(toHex(script)).toBe("6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9");
    expect(script).toEqual(witnessCommitmentScript(merkleRoot([new Uint8Array(32)]), new Uint8Array(32)));
  });

  test("commits to nothing where the node's templates do not", () => {
    const bare = { ...full, coinbase: { ...full.coinbase, outputs: [], witness: [] } };
    const made = emptyTemplate({ tip, nBits: full.nBits, network: "regtest", nowS: 0, last: bare }, origin);
    expect([made.coinbase.outputs, made.coinbase.witness]).toEqual([[], []]);
    expect(made.curTime).toBe(made.minTime);
  });

  test("pays the subsidy of its own height", () => {
    const at = (height: number, network: "mainnet" | "regtest") =>
      emptyTemplate({ tip: { ...tip, height: height - 1 }, nBits: 0x1d00ffff, network, nowS: 0, last: full }, origin)
        .coinbaseValue;
    expect(at(209_999, "mainnet")).toBe(5_000_000_000n);
    expect(at(210_000, "mainnet")).toBe(2_500_000_000n);
    expect(at(840_000, "mainnet")).toBe(312_500_000n);
    expect(at(150, "regtest")).toBe(2_500_000_000n);
  });

  test("at a retarget keeps BIP94's least time", () => {
    const late = { ...tip, height: 2015, time: 10_000, mediantime: 5_000 };
    const made = emptyTemplate({ tip: late, nBits: full.nBits, network: "mainnet", nowS: 0, last: full }, origin);
    expect(made.minTime).toBe(9_400);
    const before = emptyTemplate(
      { tip: { ...late, height: 2014 }, nBits: full.nBits, network: "mainnet", nowS: 0, last: full },
      origin,
    );
    expect(before.minTime).toBe(5_001);
  });

  test("knows where the target comes from", () => {
    expect(nextBitsRule(840_000, "mainnet")).toBe("same");
    expect(nextBitsRule(2015, "mainnet")).toBe("ask");
    expect(nextBitsRule(2015, "signet")).toBe("ask");
    expect(nextBitsRule(2015, "regtest")).toBe("same");
    expect(nextBitsRule(1, "testnet4")).toBe("wait");
    expect(nextBitsRule(1, "testnet")).toBe("wait");
    expect(fromDisplayHex(tip.hash)).toEqual(empty.prevHash);
  });
});
