/**
 * A template provider as SRI's pool wants one above it (sv2-spec section 7), in front of an embedded node: templates come
 * from its getblocktemplate, whole blocks go to its submitblock. It stands in for sv2-tp, which needs a Bitcoin Core with IPC.
 */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { systemClock, systemRandom } from "../../../src/app/system.ts";
import { assembleBlock } from "../../../src/bitcoin/block.ts";
import { headerHash, serializeHeader } from "../../../src/bitcoin/header.ts";
import { foldMerklePath } from "../../../src/bitcoin/merkle.ts";
import { targetToBytes } from "../../../src/bitcoin/target.ts";
import { serializeOutputs, txidOfBytes } from "../../../src/bitcoin/transaction.ts";
import type { DevnetNode } from "../../../src/devnet/node/node.ts";
import { toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import type { Template } from "../../../src/mining/template.ts";
import { blockTemplate } from "../../../src/node/bitcoind/answers.ts";
import { templateOfAnswer, templateRequest } from "../../../src/node/bitcoind/block-template.ts";
import { nodeCrypto } from "../../../src/pool/noise-crypto.ts";
import { PROTOCOL, PROTOCOL_VERSION, SETUP_CONNECTION_ERROR } from "../../../src/sv2/codes.ts";
import { Connection } from "../../../src/sv2/connection.ts";
import { understand } from "../../../src/sv2/dialect.ts";
import type { Frame } from "../../../src/sv2/frame.ts";
import { common } from "../../../src/sv2/messages/common.ts";
import { type TEMPLATES, templates } from "../../../src/sv2/messages/templates.ts";
import {
  authorityPublicKey,
  encodeAuthorityPublicKey,
  generateAuthoritySecretKey,
} from "../../../src/sv2/noise/authority-key.ts";
import { NoiseResponder } from "../../../src/sv2/noise/handshake.ts";
import { StaticIdentity } from "../../../src/sv2/noise/static-identity.ts";
import type { Value } from "../../../src/sv2/table.ts";

/** What a client handed in, and the node's word on it. */
export interface Solution {
  readonly templateId: bigint;
  /** Of the block, display order. */
  readonly hash: string;
  /** With its witness. */
  readonly coinbase: Uint8Array;
  /** `null` for an accepted block, else BIP22's reason. */
  readonly verdict: unknown;
}

type Constraints = Value<typeof TEMPLATES.CoinbaseOutputConstraints>;

/** Templates that solutions may still name. */
const TEMPLATES_KEPT = 100;

/** A listening provider. Everybody who connects gets the same templates. */
export class TemplateProvider {
  /** What clients asked to be reserved for their outputs, in order. */
  readonly constraints: Constraints[] = [];
  readonly solutions: Solution[] = [];
  /** Base58check, as clients are configured with it. */
  readonly authorityPublicKey: string;
  readonly #node: DevnetNode;
  readonly #identity: StaticIdentity;
  readonly #server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  readonly #clients = new Map<Socket, { readonly connection: Connection; served: boolean }>();
  readonly #templates = new Map<bigint, Template>();
  #lastId = 0n;

  private constructor(node: DevnetNode) {
    const authoritySecretKey = generateAuthoritySecretKey(RANDOM);
    this.#node = node;
    this.#identity = new StaticIdentity({ crypto: CRYPTO, clock: systemClock, random: RANDOM }, { authoritySecretKey });
    this.authorityPublicKey = encodeAuthorityPublicKey(authorityPublicKey(authoritySecretKey));
  }

  /** Listens on a free port of the loopback interface. New blocks of `node` are told at once. */
  static async start(node: DevnetNode): Promise<TemplateProvider> {
    const provider = new TemplateProvider(node);
    await new Promise<void>((resolve) => void provider.#server.listen(0, "127.0.0.1", resolve));
    const unsubscribe = node.chain.events.on("tip", () => void provider.newBlock());
    provider.#server.on("close", unsubscribe);
    return provider;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Gives everybody a template on the node's tip as a future one, and SetNewPrevHash. */
  async newBlock(): Promise<void> {
    const served = [...this.#clients].filter(([, client]) => client.served).map(([socket]) => socket);
    await this.#give(served, true);
  }

  /** Gives everybody another template on the same block, to be worked on at once. */
  async refresh(): Promise<void> {
    const served = [...this.#clients].filter(([, client]) => client.served).map(([socket]) => socket);
    await this.#give(served, false);
  }

  /** Hangs up and closes the port. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#clients.keys()) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const noise = new NoiseResponder({
      crypto: CRYPTO,
      identity: this.#identity,
      ephemeral: () => CRYPTO.generateKey(RANDOM),
    });
    const connection = new Connection({ noise }, { role: "server", maxFrameSize: 0xffffff });
    this.#clients.set(socket, { connection, served: false });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#clients.delete(socket));
    socket.on("data", (bytes: Uint8Array) => {
      const frames = connection.receive(bytes);
      for (let act = connection.output(); act !== undefined; act = connection.output()) socket.write(act);
      for (const frame of frames) void this.#take(socket, { ...frame, payload: frame.payload.slice() });
    });
  }

  async #take(socket: Socket, frame: Frame): Promise<void> {
    const understood = understand([common, templates], frame, "server");
    if (understood.kind !== "message") return;
    const { message } = understood;
    if (message.name === "SetupConnection") {
      const { protocol, minVersion, maxVersion } = message.value;
      const fits = minVersion <= PROTOCOL_VERSION && PROTOCOL_VERSION <= maxVersion;
      if (protocol === PROTOCOL.templateDistribution && fits) {
        this.#send(socket, common.encode("SetupConnectionSuccess", { usedVersion: PROTOCOL_VERSION, flags: 0 }));
        return;
      }
      const errorCode = fits
        ? SETUP_CONNECTION_ERROR.unsupportedProtocol
        : SETUP_CONNECTION_ERROR.protocolVersionMismatch;
      this.#send(socket, common.encode("SetupConnectionError", { flags: 0, errorCode }));
      socket.end();
    } else if (message.name === "CoinbaseOutputConstraints") {
      this.constraints.push(message.value);
      const client = this.#clients.get(socket);
      if (client !== undefined) client.served = true;
      await this.#give([socket], true);
    } else if (message.name === "RequestTransactionData") {
      this.#giveTransactions(socket, message.value.templateId);
    } else if (message.name === "SubmitSolution") {
      await this.#submit(message.value);
    }
  }

  #giveTransactions(socket: Socket, templateId: bigint): void {
    const transactionList = this.#templates.get(templateId)?.transactions;
    const excessData = new Uint8Array(0);
    this.#send(
      socket,
      transactionList === undefined
        ? templates.encode("RequestTransactionDataError", { templateId, errorCode: "template-id-not-found" })
        : templates.encode("RequestTransactionDataSuccess", { templateId, excessData, transactionList }),
    );
  }

  async #give(to: readonly Socket[], future: boolean): Promise<void> {
    const answer = blockTemplate.parse(await this.#node.call("getblocktemplate", [templateRequest("regtest")]));
    this.#lastId += 1n;
    const templateId = this.#lastId;
    const template = templateOfAnswer(answer, { id: String(templateId), source: "provider", node: this.#node.name });
    this.#templates.set(templateId, template);
    this.#templates.delete(templateId - BigInt(TEMPLATES_KEPT));
    const { coinbase } = template;
    const newTemplate = templates.encode("NewTemplate", {
      templateId,
      futureTemplate: future,
      version: template.version,
      coinbaseTxVersion: coinbase.txVersion,
      coinbasePrefix: coinbase.prefix,
      coinbaseTxInputSequence: coinbase.sequence,
      coinbaseTxValueRemaining: template.coinbaseValue,
      coinbaseTxOutputsCount: coinbase.outputs.length,
      coinbaseTxOutputs: serializeOutputs(coinbase.outputs),
      coinbaseTxLocktime: coinbase.lockTime,
      merklePath: template.merklePath,
    });
    const setNewPrevHash = templates.encode("SetNewPrevHash", {
      templateId,
      prevHash: template.prevHash,
      headerTimestamp: template.curTime,
      nBits: template.nBits,
      target: targetToBytes(template.target),
    });
    for (const socket of to) {
      this.#send(socket, newTemplate);
      if (future) this.#send(socket, setNewPrevHash);
    }
  }

  /** Builds the block of a solution's own template, whatever is current by now. */
  async #submit(solution: Value<typeof TEMPLATES.SubmitSolution>): Promise<void> {
    const { templateId, version, headerTimestamp: time, headerNonce: nonce, coinbaseTx: coinbase } = solution;
    const template = this.#templates.get(templateId);
    if (template === undefined) {
      this.solutions.push({ templateId, hash: "", coinbase, verdict: "there is no such template" });
      return;
    }
    const { prevHash, nBits, merklePath, transactions = [] } = template;
    const merkleRoot = foldMerklePath(txidOfBytes(coinbase), merklePath);
    const header = serializeHeader({ version, prevHash, merkleRoot, time, nBits, nonce });
    const verdict = await this.#node.call("submitblock", [toHex(assembleBlock(header, coinbase, transactions))]);
    this.solutions.push({ templateId, hash: toDisplayHex(headerHash(header)), coinbase, verdict });
  }

  #send(socket: Socket, frame: Uint8Array): void {
    const client = this.#clients.get(socket);
    if (client !== undefined) socket.write(client.connection.send(frame));
  }
}

const RANDOM = systemRandom();
const CRYPTO = nodeCrypto({ log: silentLog });
