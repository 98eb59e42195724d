/** The template server from a client's side, over real sockets with Noise, on an embedded node that judges what is mined. */
import { describe, expect, test } from "vitest";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { composedServer } from "../support/composed-server.ts";
import { outputsBytes } from "../support/custom-client.ts";
import { reach } from "../support/declaring-client.ts";
import type { Fields, Message } from "../support/messages.ts";
import { type MockMiner, SETUP_CONNECTION } from "../support/mock-miner.ts";
import { dsha } from "../support/parent-block.ts";
import { until } from "../support/until.ts";

const PAYOUT = Buffer.from(scriptOfAddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "regtest"));
const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/** Fields of the template protocol's own SetNewPrevHash. */
interface Tip {
  readonly templateId: bigint;
  readonly prevHash: Uint8Array;
  readonly headerTimestamp: number;
  readonly nBits: number;
  readonly target: Uint8Array;
}

async function world() {
  const server = await composedServer({ template_server: { listen_addr: "127.0.0.1:0", max_output_bytes: 5000 } });
  await server.ready("namecoin", "rsk");
  const connect = (): Promise<MockMiner> => reach(server.running, server.running.templates ?? "");
  const client = async (size = 100): Promise<MockMiner> => {
    const it = await connect();
    await it.setup({ protocol: 2 });
    constrain(it, size);
    return it;
  };
  return { ...server, connect, client };
}

const constrain = (client: MockMiner, size: number): void =>
  client.send("CoinbaseOutputConstraints", {
    coinbaseOutputMaxAdditionalSize: size,
    coinbaseOutputMaxAdditionalSigops: 4,
  });

async function tip(client: MockMiner): Promise<Tip> {
  return (await client.next("SetNewPrevHash")) as unknown as Tip;
}

/** A future template and its tip. */
async function work(client: MockMiner): Promise<{ template: Fields<"NewTemplate">; tip: Tip }> {
  const template = await client.next("NewTemplate");
  expect(template.futureTemplate).toBe(true);
  return { template, tip: await tip(client) };
}

/** A solution of the template that pays `PAYOUT`, mined with node:crypto. */
function solve(
  { template, tip: { prevHash, headerTimestamp, nBits, target } }: Awaited<ReturnType<typeof work>>,
  wish: { readonly value?: bigint; readonly lacks?: boolean } = {},
) {
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    return bytes;
  };
  const script = Buffer.concat([template.coinbasePrefix, Buffer.from("template client")]);
  const own = outputsBytes([{ value: wish.value ?? template.coinbaseTxValueRemaining, script: PAYOUT }]);
  const count = wish.lacks === true ? 1 : 1 + template.coinbaseTxOutputsCount;
  const outputs = Buffer.concat([
    Buffer.of(count),
    own.subarray(1),
    ...(wish.lacks === true ? [] : [template.coinbaseTxOutputs]),
  ]);
  const body = Buffer.concat([
    Buffer.of(1),
    Buffer.alloc(32),
    u32(0xffffffff),
    Buffer.of(script.length),
    script,
    u32(template.coinbaseTxInputSequence),
    outputs,
  ]);
  const stripped = Buffer.concat([u32(template.coinbaseTxVersion), body, u32(template.coinbaseTxLocktime)]);
  const witness = Buffer.concat([Buffer.of(1, 32), Buffer.alloc(32)]);
  const coinbaseTx = Buffer.concat([
    u32(template.coinbaseTxVersion),
    Buffer.of(0, 1),
    body,
    witness,
    u32(template.coinbaseTxLocktime),
  ]);
  const root = template.merklePath.reduce<Buffer>((node, each) => dsha(Buffer.concat([node, each])), dsha(stripped));
  const header = Buffer.concat([u32(template.version), prevHash, root, u32(headerTimestamp), u32(nBits), u32(0)]);
  const limit = BigInt(`0x${Buffer.from(target).reverse().toString("hex")}`);
  for (let nonce = 0; ; nonce++) {
    header.writeUInt32LE(nonce, 76);
    const hash = Buffer.from(dsha(header)).reverse().toString("hex");
    if (BigInt(`0x${hash}`) > limit) continue;
    const { templateId, version } = template;
    return { hash, solution: { templateId, version, headerTimestamp, headerNonce: nonce, coinbaseTx } };
  }
}

describe("a template client", () => {
  test("gets work when it said what it reserves, the transactions when it asks, and its block reaches the node", async () => {
    const { connect, node, log } = await world();
    const it = await connect();
    await it.setup({ protocol: 2 });
    await it.quiet(200);
    constrain(it, 100);
    const first = await work(it);
    expect(first.tip.templateId).toBe(first.template.templateId);
    expect(Buffer.from(first.tip.prevHash).reverse().toString("hex")).toBe(node.chain.tip.key);
    const { templateId } = first.template;
    it.send("RequestTransactionData", { templateId });
    const data = await it.next("RequestTransactionDataSuccess");
    const gbt = (await node.call("getblocktemplate", [{ rules: ["segwit"] }])) as { transactions: { data: string }[] };
    expect(data.transactionList.map((raw) => Buffer.from(raw).toString("hex"))).toEqual(
      gbt.transactions.map((each) => each.data),
    );
    const { hash, solution } = solve(first);
    it.send("SubmitSolution", solution);
    await until("the block", () => node.chain.tip.key === hash, 10_000);
    const next = await work(it);
    expect(Buffer.from(next.tip.prevHash).reverse().toString("hex")).toBe(hash);
    expect(next.template.templateId).toBeGreaterThan(templateId);
    it.send("RequestTransactionData", { templateId });
    expect(await it.next("RequestTransactionDataError")).toEqual({ templateId, errorCode: "stale-template-id" });
    it.send("RequestTransactionData", { templateId: 1n });
    expect((await it.next("RequestTransactionDataError")).errorCode).toBe("template-id-not-found");
    expect(log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("gets a future template for other constraints, shares one with others, and may not want everything", async () => {
    const { client } = await world();
    const [a, b] = [await client(100), await client(200)];
    const [workA, workB] = [await work(a), await work(b)];
    expect(workA.template.templateId).toBe(workB.template.templateId);
    constrain(a, 300);
    expect((await work(a)).template.templateId).toBe(workA.template.templateId);
    constrain(a, 5001);
    expect(await a.closed).toBeUndefined();
    await b.quiet(100);
  });

  test("gets the template of another tip as a future one with SetNewPrevHash", async () => {
    const { client, node } = await world();
    const it = await client();
    const { tip: before } = await work(it);
    await node.call("generatetoaddress", [1, ADDRESS]);
    const { tip: after } = await work(it);
    expect(after.prevHash).not.toEqual(before.prevHash);
  });

  test("whose solution is none, is told nothing and loses nothing; one with a hundred of them is left", async () => {
    const { client, node, log } = await world();
    const it = await client();
    const given = await work(it);
    const { height } = node.chain.tip;
    const { solution } = solve(given);
    it.send("SubmitSolution", { ...solution, headerNonce: solution.headerNonce + 1 });
    it.send("SubmitSolution", { ...solution, coinbaseTx: solution.coinbaseTx.subarray(1) });
    it.send("SubmitSolution", { ...solution, templateId: 5n });
    it.send("SubmitSolution", solve(given, { value: given.template.coinbaseTxValueRemaining + 1n }).solution);
    it.send("SubmitSolution", solve(given, { lacks: true }).solution);
    await it.quiet(200);
    expect(node.chain.tip.height).toBe(height);
    expect(log.filter(({ message }) => message.includes("is no block"))[0]?.message).toContain(
      "does not meet the target",
    );
    for (let i = 0; i < 100; i++) it.send("SubmitSolution", { ...solution, templateId: 5n });
    expect(await it.closed).toBeUndefined();
  });

  test("that asks for transactions faster than it is given them is left", async () => {
    const { client } = await world();
    const it = await client();
    const { template } = await work(it);
    for (let i = 0; i < 300; i++) it.send("RequestTransactionData", { templateId: template.templateId });
    await it.closed;
    const other = await client();
    await work(other);
  });
});

test("what is no template distribution of version 2 is refused with SRI's words", async () => {
  const { connect } = await world();
  const codes: string[] = [];
  for (const setup of [{ protocol: 0 }, { protocol: 2, minVersion: 3, maxVersion: 3 }, { protocol: 2, flags: 1 }]) {
    const it = await connect();
    it.send("SetupConnection", { ...SETUP_CONNECTION, ...setup });
    codes.push((await it.expect("SetupConnectionError")).errorCode);
    await it.closed;
  }
  expect(codes).toEqual(["unsupported-protocol", "protocol-version-mismatch", "unsupported-feature-flags"]);
  const silent = await connect();
  silent.send("RequestTransactionData", { templateId: 1n });
  await silent.closed;
  const messages: readonly Message[] = silent.inbox.unread;
  expect(messages).toEqual([]);
});
