/**
 * A declaring client over real sockets: a job declaration connection, a mining connection that selects its own work, and templates from the embedded node's
 * getblocktemplate. Its coinbases, blocks and hashes are put together by `custom-client.ts`, which shares nothing with the server.
 */
import { onTestFinished } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { decodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";
import { type CustomFields, customFields, customHalves, customMine, type Output } from "./custom-client.ts";
import type { Fields } from "./messages.ts";
import { MockMiner } from "./mock-miner.ts";
import { dsha, internal } from "./parent-block.ts";

/** What of getblocktemplate is used. */
export interface NodeTemplate {
  readonly previousblockhash: string;
  readonly height: number;
  readonly bits: string;
  readonly mintime: number;
  readonly curtime: number;
  readonly version: number;
  readonly coinbasevalue: number;
  readonly default_witness_commitment: string;
  readonly transactions: readonly { readonly data: string; readonly txid: string; readonly hash: string }[];
}

/** Where a server is. */
export interface ServerPlace {
  readonly listening: readonly string[];
  readonly declaration: string | undefined;
  readonly authorityPublicKey: string;
}

/** How a job is made. */
export interface DraftWish {
  /** Outputs of 0 sat behind the payout, before the witness commitment. */
  readonly outputs?: readonly Uint8Array[];
  /** Behind the height in the scriptSig. */
  readonly script?: Uint8Array;
  /** More or less than the template's value, sat. */
  readonly extra?: bigint;
  /** Transactions of the template that are left out, from the end. */
  readonly without?: number;
}

/** A job of the client's, as it is declared and set. */
export interface Draft {
  readonly template: NodeTemplate;
  readonly fields: CustomFields;
  readonly raws: readonly Buffer[];
  readonly wtxids: readonly Buffer[];
}

/** The largest number of 2^n. */
export const below = (bits: number): bigint => 2n ** BigInt(bits) - 1n;

/** The client. */
export class DeclaringClient {
  readonly jd: MockMiner;
  readonly mining: MockMiner;
  readonly #node: DevnetNode;
  #requestId = 100;
  #sequence = 0;

  private constructor(node: DevnetNode, jd: MockMiner, mining: MockMiner) {
    this.#node = node;
    this.jd = jd;
    this.mining = mining;
  }

  /** Connects both, sets them up in full-template mode or, with `flags` 0, coinbase-only. */
  static async connect(place: ServerPlace, node: DevnetNode, flags = 1): Promise<DeclaringClient> {
    const jd = await reach(place, place.declaration ?? "");
    await jd.setup({ protocol: 1, flags });
    const mining = await reach(place, place.listening[0] ?? "");
    await mining.setup({ flags: 2 });
    return new DeclaringClient(node, jd, mining);
  }

  /** Opens an extended channel. */
  async channel(userIdentity = "declarer"): Promise<Fields<"OpenExtendedMiningChannelSuccess">> {
    return this.mining.openExtended({ userIdentity, minExtranonceSize: 8 });
  }

  /** Asks for a token. */
  async token(userIdentifier = "declarer"): Promise<Fields<"AllocateMiningJobTokenSuccess">> {
    const requestId = ++this.#requestId;
    this.jd.send("AllocateMiningJobToken", { requestId, userIdentifier });
    const answer = await this.jd.next("AllocateMiningJobTokenSuccess");
    if (answer.requestId !== requestId) throw new Error("an answer to another request");
    return answer;
  }

  /** The node's template now. */
  async template(): Promise<NodeTemplate> {
    return (await this.#node.call("getblocktemplate", [{ rules: ["segwit"] }])) as NodeTemplate;
  }

  /** A job that pays `payout` everything. */
  async draft(payout: Uint8Array, wish: DraftWish = {}): Promise<Draft> {
    const template = await this.template();
    const { outputs = [], extra = 0n, without = 0, script } = wish;
    const kept = template.transactions.slice(0, template.transactions.length - without);
    const raws = kept.map(({ data }) => Buffer.from(data, "hex"));
    const wtxids = kept.map(({ hash }) => internal(hash));
    const all: Output[] = [
      { value: BigInt(template.coinbasevalue) + extra, script: payout },
      ...outputs.map((each) => ({ value: 0n, script: each })),
      { value: 0n, script: commitment(wtxids) },
    ];
    const fields = customFields({
      height: template.height,
      prevHash: internal(template.previousblockhash),
      nBits: Number.parseInt(template.bits, 16),
      ntime: template.curtime,
      version: template.version,
      outputs: all,
      merklePath: pathOf(kept.map(({ txid }) => internal(txid))),
      ...(script === undefined ? {} : { script }),
    });
    return { template, fields, raws, wtxids };
  }

  /** Sends DeclareMiningJob; the id of the request. */
  sendDeclare(token: Uint8Array, draft: Draft, extranonceSize: number, requestId = ++this.#requestId): number {
    const { prefix, suffix } = customHalves(draft.fields, extranonceSize, new Uint8Array(32));
    this.jd.send("DeclareMiningJob", {
      requestId,
      miningJobToken: token,
      version: draft.fields.version,
      coinbaseTxPrefix: prefix,
      coinbaseTxSuffix: suffix,
      wtxidList: draft.wtxids,
      excessData: new Uint8Array(0),
    });
    return requestId;
  }

  /** Declares, gives missing transactions, and waits for the verdict. */
  async declare(token: Uint8Array, draft: Draft, extranonceSize: number): Promise<Uint8Array | string> {
    const requestId = this.sendDeclare(token, draft, extranonceSize);
    return this.verdict(requestId, draft);
  }

  /** Waits for the verdict on a declaration, giving what is missing. */
  async verdict(requestId: number, draft: Draft): Promise<Uint8Array | string> {
    const names = ["ProvideMissingTransactions", "DeclareMiningJobSuccess", "DeclareMiningJobError"];
    const message = await this.jd.inbox.next((one) => names.includes(one.name), "a verdict", 10_000);
    if (message.name === "ProvideMissingTransactions") {
      const transactionList = message.value.unknownTxPositionList.map((at) => draft.raws[at] as Buffer);
      this.jd.send("ProvideMissingTransactionsSuccess", { requestId, transactionList });
      return this.verdict(requestId, draft);
    }
    if (message.name === "DeclareMiningJobSuccess") return message.value.newMiningJobToken;
    return message.name === "DeclareMiningJobError" ? message.value.errorCode : message.name;
  }

  /** Sets a custom job; its id, or the error code. */
  async set(channelId: number, token: Uint8Array, { fields }: Draft): Promise<number | string> {
    const requestId = ++this.#requestId;
    this.mining.send("SetCustomMiningJob", { channelId, requestId, miningJobToken: token, ...fields });
    const names = ["SetCustomMiningJobSuccess", "SetCustomMiningJobError"];
    const message = await this.mining.inbox.next((one) => names.includes(one.name), "an answer to the job", 10_000);
    if (message.name === "SetCustomMiningJobSuccess") return message.value.jobId;
    return message.name === "SetCustomMiningJobError" ? message.value.errorCode : message.name;
  }

  /** Mines a share of a custom job whose hash is at most `atMost` and sends it; its error code, `undefined` when it was accepted. */
  async share(
    channel: Pick<Fields<"OpenExtendedMiningChannelSuccess">, "channelId" | "extranoncePrefix" | "extranonceSize">,
    jobId: number,
    { fields }: Draft,
    atMost: bigint,
    wish: { readonly above?: bigint; readonly send?: boolean } = {},
  ): Promise<{
    readonly hash: string;
    readonly nonce: number;
    readonly extranonce: Buffer;
    readonly errorCode: string | undefined;
  }> {
    const rolled = Buffer.from(systemRandom().bytes(channel.extranonceSize));
    const extranonce = Buffer.concat([channel.extranoncePrefix, rolled]);
    const { nonce, hash } = customMine(fields, extranonce, atMost, wish);
    const shown = Buffer.from(hash).reverse().toString("hex");
    if (wish.send === false) return { hash: shown, nonce, extranonce, errorCode: undefined };
    const { channelId } = channel;
    const { version, minNtime: ntime } = fields;
    const sequenceNumber = this.#sequence++;
    this.mining.send("SubmitSharesExtended", {
      channelId,
      sequenceNumber,
      jobId,
      nonce,
      ntime,
      version,
      extranonce: rolled,
    });
    const names = ["SubmitSharesSuccess", "SubmitSharesError"];
    const answer = await this.mining.inbox.next((one) => names.includes(one.name), "an answer to the share", 10_000);
    const errorCode = answer.name === "SubmitSharesError" ? answer.value.errorCode : undefined;
    return { hash: shown, nonce, extranonce, errorCode };
  }
}

/** A connection to a server's address, its handshake done; it ends with the test. */
export async function reach(
  { authorityPublicKey: key }: Pick<ServerPlace, "authorityPublicKey">,
  address: string,
): Promise<MockMiner> {
  const crypto = nodeCrypto({ log: silentLog });
  const authorityPublicKey = decodeAuthorityPublicKey(key);
  const noise = new NoiseInitiator({ crypto, clock: systemClock, random: systemRandom() }, { authorityPublicKey });
  const miner = await MockMiner.connect(address, { noise });
  onTestFinished(() => miner.destroy());
  return miner;
}

/** BIP141's commitment to the wtxids of a block, with a reserved value of zeros. */
export function commitment(wtxids: readonly Buffer[]): Buffer {
  let level: Buffer[] = [Buffer.alloc(32), ...wtxids];
  while (level.length > 1) {
    level = level.flatMap((left, i) => (i % 2 === 0 ? [dsha(Buffer.concat([left, level[i + 1] ?? left]))] : []));
  }
  const hash = dsha(Buffer.concat([level[0] as Buffer, Buffer.alloc(32)]));
  return Buffer.concat([Buffer.from("6a24aa21a9ed", "hex"), hash]);
}

/** Siblings of the first leaf, whatever it is, when `rest` are the leaves behind it. */
export function pathOf(rest: readonly Buffer[]): Buffer[] {
  const path: Buffer[] = [];
  let level: Buffer[] = [Buffer.alloc(32), ...rest];
  while (level.length > 1) {
    path.push(level[1] as Buffer);
    level = level.flatMap((left, i) => (i % 2 === 0 ? [dsha(Buffer.concat([left, level[i + 1] ?? left]))] : []));
  }
  return path;
}
