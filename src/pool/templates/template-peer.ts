/**
 * One client of the template server (spec 7): it says what it reserves for its outputs, gets templates that leave it so much room, asks for their
 * transactions and submits solutions. As at SRI's providers it gets nothing before it said what it reserves, and changed constraints are answered with a
 * future template and SetNewPrevHash, also on the same tip.
 */
import { targetToBytes } from "../../bitcoin/target.ts";
import { serializeOutputs } from "../../bitcoin/transaction.ts";
import type { Clock } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { FoundBlock } from "../../mining/ports.ts";
import type { Template } from "../../mining/template.ts";
import { REQUEST_TRANSACTION_DATA_ERROR as ERROR, PROTOCOL } from "../../sv2/codes.ts";
import { understand } from "../../sv2/dialect.ts";
import type { Frame } from "../../sv2/frame.ts";
import { common } from "../../sv2/messages/common.ts";
import { templates } from "../../sv2/messages/templates.ts";
import type { Decoded } from "../../sv2/table.ts";
import type { ServedPeer } from "../peer-server.ts";
import { answerSetup } from "../subprotocol-setup.ts";
import type { OutputRoom } from "./roomy-template.ts";
import type { ServedTemplates } from "./served-templates.ts";
import { type SubmitSolution, solvedTemplate } from "./solution.ts";

/** Requests for transactions that may wait until the client has taken what it was sent. */
const MAX_REQUESTS = 16;

/** Bytes that wait for a client when its next request is answered; an answer has megabytes. */
const MOST_WAITING_BYTES = 65_536;

/** Solutions that solve nothing, after which a client is left. */
const MAX_BOGUS = 100;

/** What a peer works with. */
export interface TemplatePeerDeps {
  readonly connection: number;
  readonly send: (frame: Uint8Array) => void;
  /** Bytes that wait for the client. */
  readonly waiting: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly served: ServedTemplates;
  /** The transactions of a template; `undefined` where only its source has them. */
  readonly transactionsOf: (template: Template) => Promise<readonly Uint8Array[] | undefined>;
  /** Takes found blocks. Somebody else is paid, so they are none of the ledger's. */
  readonly blocks: (found: FoundBlock) => void;
}

/** Options of `TemplatePeer`. */
export interface TemplatePeerOptions {
  /** Most that may be reserved for outputs. */
  readonly maxOutputBytes: number;
}

type Message = Decoded<typeof common.table> | Decoded<typeof templates.table>;

const SPOKEN = [templates, common] as const;

/** One client. */
export class TemplatePeer implements ServedPeer {
  readonly bytesOwed = 0;
  readonly messagesWanted = 0;
  readonly #deps: TemplatePeerDeps;
  readonly #options: TemplatePeerOptions;
  readonly #requests: bigint[] = [];
  #isSetUp = false;
  #isGone = false;
  #isAnswering = false;
  #room: OutputRoom | undefined;
  #hasWork = false;
  #isTold = false;
  #bogus = 0;

  constructor(deps: TemplatePeerDeps, options: TemplatePeerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get open(): boolean {
    return this.#isSetUp;
  }

  receive(frame: Frame): Fault | undefined {
    const understood = understand(SPOKEN, frame, "server");
    if (understood.kind !== "message") return undefined;
    const message = understood.message as Message;
    if (message.name === "SetupConnection") {
      if (this.#isSetUp) throw new Fault("setup-repeated");
      const refused = answerSetup(
        message.value,
        { protocol: PROTOCOL.templateDistribution, flags: 0 },
        this.#deps.send,
      );
      this.#isSetUp = refused === undefined;
      return refused;
    }
    if (!this.#isSetUp) throw new Fault("setup-expected", { message: message.name });
    switch (message.name) {
      case "CoinbaseOutputConstraints":
        this.#constrain({
          bytes: message.value.coinbaseOutputMaxAdditionalSize,
          sigops: message.value.coinbaseOutputMaxAdditionalSigops,
        });
        return undefined;
      case "RequestTransactionData":
        this.#request(message.value.templateId);
        return undefined;
      case "SubmitSolution":
        return this.#solution(message.value);
      default:
        return undefined;
    }
  }

  /** A new template came; `isNewTip`: on another block than the one before. */
  newTemplate(isNewTip: boolean): void {
    if (this.#room !== undefined) this.#give(isNewTip || !this.#hasWork);
  }

  tick(): void {
    void this.#answerNext();
  }

  close(): void {
    this.#isGone = true;
    this.#requests.length = 0;
  }

  #constrain(room: OutputRoom): void {
    const { maxOutputBytes } = this.#options;
    if (room.bytes > maxOutputBytes) {
      throw new Fault("template-constraints-too-large", { bytes: room.bytes, atMost: maxOutputBytes });
    }
    this.#room = room;
    this.#isTold = false;
    this.#give(true);
  }

  #give(future: boolean): void {
    const { served, send, log, meter } = this.#deps;
    if (this.#room === undefined || served.newest === undefined) return;
    const given = served.withRoom(this.#room);
    if (given === undefined) {
      // A template of another kind, the next perhaps, may have the room.
      if (!this.#isTold) log.warn("no template leaves a client the room that it wants for outputs", { ...this.#room });
      this.#isTold = true;
      return;
    }
    const { templateId, template } = given;
    const { coinbase, prevHash, nBits, target } = template;
    meter.count("templates_served_total", 1, { kind: future ? "future" : "refresh" });
    send(
      templates.encode("NewTemplate", {
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
      }),
    );
    this.#hasWork = true;
    if (!future) return;
    const headerTimestamp = Math.max(template.curTime, template.minTime);
    const setNewPrevHash = { templateId, prevHash, headerTimestamp, nBits, target: targetToBytes(target) };
    send(templates.encode("SetNewPrevHash", setNewPrevHash));
  }

  #request(templateId: bigint): void {
    if (this.#requests.length >= MAX_REQUESTS) {
      throw new Fault("template-requests-too-many", { requests: this.#requests.length });
    }
    this.#requests.push(templateId);
    void this.#answerNext();
  }

  /** One after the other: each answer may have the transactions of a whole block. */
  async #answerNext(): Promise<void> {
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    try {
      while (!this.#isGone && this.#deps.waiting() <= MOST_WAITING_BYTES) {
        const templateId = this.#requests.shift();
        if (templateId === undefined) return;
        await this.#answer(templateId);
      }
    } catch (error) {
      this.#deps.log.error(`a request for transactions failed: ${describe(error)}`, { error });
    } finally {
      this.#isAnswering = false;
    }
  }

  async #answer(templateId: bigint): Promise<void> {
    const { served, transactionsOf, send } = this.#deps;
    const found = served.find(templateId);
    const refuse = (errorCode: string): void =>
      send(templates.encode("RequestTransactionDataError", { templateId, errorCode }));
    if (found === undefined) return refuse(ERROR.templateIdNotFound);
    if (found.isStale) return refuse(ERROR.staleTemplateId);
    const transactionList = found.template.transactions ?? (await transactionsOf(found.template));
    if (this.#isGone) return undefined;
    if (transactionList === undefined) return refuse(ERROR.templateIdNotFound);
    const excessData = new Uint8Array(0);
    send(templates.encode("RequestTransactionDataSuccess", { templateId, excessData, transactionList }));
    return undefined;
  }

  #solution(solution: SubmitSolution): Fault | undefined {
    const { served, connection, clock, log, blocks, transactionsOf } = this.#deps;
    const { templateId } = solution;
    const found = served.find(templateId);
    const facts = { userIdentity: `template client ${connection}`, nowMs: clock.nowMs() };
    const made =
      found === undefined
        ? "its template is unknown or forgotten"
        : solvedTemplate(solution, found.template, found.template.transactions, facts);
    if (typeof made === "string" || found === undefined) {
      this.#bogus += 1;
      const level = this.#bogus === 1 ? "warn" : "debug";
      log[level](`a solution of a template client is no block: ${String(made)}`, { templateId });
      return this.#bogus > MAX_BOGUS ? new Fault("template-solutions-bogus", { solutions: this.#bogus }) : undefined;
    }
    if (made.block !== undefined) {
      blocks(made);
      return undefined;
    }
    // Its message is read in place: what goes on later needs a copy of its own.
    const kept = { ...solution, coinbaseTx: solution.coinbaseTx.slice() };
    void transactionsOf(found.template)
      .catch(() => undefined)
      .then((transactions) => {
        const whole = solvedTemplate(kept, found.template, transactions, facts);
        blocks(typeof whole === "string" ? made : whole);
      });
    return undefined;
  }
}
