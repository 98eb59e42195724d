/**
 * One connection to one template provider, from dialling to its end: set up, told what we reserve, listened to, asked for transactions, given solutions.
 * Whether work is taken from it is decided elsewhere (`providers.ts`).
 */
import type { Dial } from "../../client/link.ts";
import { type ServiceEnd, ServiceSession } from "../../client/service-session.ts";
import type { ClientConversation } from "../../client/session.ts";
import type { ServerAddress } from "../../client/url.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import { peerText } from "../../kernel/peer-text.ts";
import type { Random } from "../../kernel/random.ts";
import type { FoundBlock, TemplateCause } from "../../mining/ports.ts";
import type { Template } from "../../mining/template.ts";
import { PROTOCOL, PROTOCOL_VERSION } from "../../sv2/codes.ts";
import { understand } from "../../sv2/dialect.ts";
import type { Frame } from "../../sv2/frame.ts";
import { common } from "../../sv2/messages/common.ts";
import { templates } from "../../sv2/messages/templates.ts";
import type { NoiseCrypto } from "../../sv2/noise/crypto.ts";
import type { Decoded } from "../../sv2/table.ts";
import { ConstraintsInForce, type OutputConstraints } from "./output-constraints.ts";
import { ProviderFeed } from "./provider-feed.ts";

/** Longest message: the transactions of a block. */
const MAX_FRAME_SIZE = 16_000_000;

/** Silence after which the provider is asked something, ms; after twice as much more it is gone. */
const ASK_AFTER_MS = 30_000;

/** A template that there is none of: the answer is a sign of life, and says that all before it was taken. */
const NO_TEMPLATE = 0n;

/** Templates whose transactions are kept. */
const KEPT = 4;

/** Templates whose numbers are remembered, for solutions. */
const NUMBERS_KEPT = 64;

/** A provider as configured. */
export interface Provider {
  readonly name: string;
  /** The address as configured. */
  readonly url: string;
  readonly address: ServerAddress;
}

/** What a connection works with. */
export interface ProviderConnectionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly crypto: NoiseCrypto;
  readonly dial: Dial;
}

/** Options of `ProviderConnection`. */
export interface ProviderConnectionOptions {
  /** Unique in the process: part of template ids. */
  readonly connection: number;
  /** What we reserve at first. */
  readonly constraints: OutputConstraints;
  /** From dialling to the first template, ms. */
  readonly connectTimeoutMs: number;
}

/** What it tells. */
export interface ProviderListener {
  onTemplate(template: Template, cause: TemplateCause): void;
  /** The provider's tip, `Uint8Array(32)`, internal byte order. */
  onTip(prevHash: Uint8Array): void;
}

type Message = Decoded<typeof common.table> | Decoded<typeof templates.table>;

const SPOKEN = [templates, common] as const;

/** The connection. */
export class ProviderConnection {
  readonly #deps: ProviderConnectionDeps;
  readonly #provider: Provider;
  readonly #options: ProviderConnectionOptions;
  readonly #constraints: ConstraintsInForce;
  readonly #feed: ProviderFeed;
  /** The provider's numbers by our ids, the oldest first. */
  readonly #numbers = new Map<string, bigint>();
  /** Transactions that came, by the provider's number. */
  readonly #transactions = new Map<bigint, readonly Uint8Array[]>();
  readonly #wanted = new Map<bigint, ((transactions: readonly Uint8Array[] | undefined) => void)[]>();
  #listener: ProviderListener | undefined;
  #send: ((frame: Uint8Array) => void) | undefined;
  #isSetUp = false;
  #heardMs = 0;
  #askedMs = 0;
  /** Questions about no template, and answers to them; what was sent before the question with this number was taken when it is answered. */
  #questions = 0;
  #answers = 0;
  #barrier = 0;
  #session: ServiceSession | undefined;

  constructor(deps: ProviderConnectionDeps, provider: Provider, options: ProviderConnectionOptions) {
    this.#deps = deps;
    this.#provider = provider;
    this.#options = options;
    this.#constraints = new ConstraintsInForce(options.constraints);
    this.#feed = new ProviderFeed({
      provider: provider.name,
      source: provider.name,
      idOf: (templateId) => `${provider.name}/${options.connection}/${templateId}`,
      room: (isFuture) => this.#constraints.of(isFuture),
      offer: (template, cause, templateId) => this.#offer(template, cause, templateId),
    });
  }

  /** Dials and listens until the connection ends. Never rejects. */
  async run(listener: ProviderListener, signal: AbortSignal): Promise<ServiceEnd> {
    const { name: provider, address: server } = this.#provider;
    const { connectTimeoutMs } = this.#options;
    this.#listener = listener;
    this.#heardMs = this.#deps.clock.monotonicMs();
    this.#session = new ServiceSession(
      {
        ...this.#deps,
        client: (send, end) => this.#conversation(send, end),
        tooLate: () => new Fault("template-provider-timeout", { provider, isSetUp: this.#isSetUp }),
      },
      { server, maxFrameSize: MAX_FRAME_SIZE, connectTimeoutMs },
    );
    const end = await this.#session.run(signal);
    for (const templateId of [...this.#wanted.keys()]) this.#gave(templateId, undefined);
    return end;
  }

  /** What we reserve from now on; nothing is sent where that is what the provider knows. */
  constrain(constraints: OutputConstraints): void {
    const { sent } = this.#constraints;
    if (!this.#isSetUp || (sent.bytes === constraints.bytes && sent.sigops === constraints.sigops)) return;
    this.#constraints.change(constraints);
    this.#sendConstraints(constraints);
    this.#ask();
    this.#barrier = this.#questions;
  }

  /** The transactions of a template of this connection; `undefined` for one that the provider does not have any more. */
  transactionsOf({ id }: Pick<Template, "id">): Promise<readonly Uint8Array[] | undefined> {
    const templateId = this.#numbers.get(id);
    if (templateId === undefined) return Promise.resolve(undefined);
    const known = this.#transactions.get(templateId);
    if (known !== undefined || this.#send === undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      const waiting = this.#wanted.get(templateId);
      if (waiting !== undefined) {
        waiting.push(resolve);
        return;
      }
      this.#wanted.set(templateId, [resolve]);
      this.#send?.(templates.encode("RequestTransactionData", { templateId }));
    });
  }

  /** Hands over a block on a template of this connection. Returns whether it was sent. */
  solution({ templateId: id, header, coinbase }: FoundBlock): boolean {
    const templateId = this.#numbers.get(id);
    if (templateId === undefined || this.#send === undefined) return false;
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    this.#send(
      templates.encode("SubmitSolution", {
        templateId,
        version: view.getUint32(0, true),
        headerTimestamp: view.getUint32(68, true),
        headerNonce: view.getUint32(76, true),
        coinbaseTx: coinbase,
      }),
    );
    return true;
  }

  #conversation(send: (frame: Uint8Array) => void, end: (reason: string) => void): ClientConversation {
    const { clock } = this.#deps;
    let ticks: Timer | undefined;
    return {
      start: () => {
        this.#send = send;
        ticks = clock.every(1000, () => this.#listen(end));
        const { host, port } = this.#provider.address;
        send(
          common.encode("SetupConnection", {
            protocol: PROTOCOL.templateDistribution,
            minVersion: PROTOCOL_VERSION,
            maxVersion: PROTOCOL_VERSION,
            flags: 0,
            endpointHost: host.slice(0, 255),
            endpointPort: port,
            vendor: "bllvm-stratum-v2",
            hardwareVersion: "",
            firmware: "",
            deviceId: "",
          }),
        );
      },
      receive: (frame) => this.#receive(frame),
      close: () => undefined,
      abandon: () => {
        ticks?.cancel();
        this.#send = undefined;
      },
    };
  }

  #receive(frame: Frame): void {
    this.#heardMs = this.#deps.clock.monotonicMs();
    this.#askedMs = this.#heardMs;
    const understood = understand(SPOKEN, frame, "client");
    if (understood.kind !== "message") return;
    const message = understood.message as Message;
    switch (message.name) {
      case "SetupConnectionSuccess":
        this.#isSetUp = true;
        this.#sendConstraints(this.#constraints.sent);
        return;
      case "SetupConnectionError": {
        const errorCode = peerText(message.value.errorCode);
        throw new Fault("template-provider-refused", { provider: this.#provider.name, errorCode });
      }
      case "NewTemplate":
        this.#feed.newTemplate(message.value);
        return;
      case "SetNewPrevHash":
        this.#feed.setNewPrevHash(message.value);
        this.#listener?.onTip(message.value.prevHash.slice());
        return;
      case "RequestTransactionDataSuccess": {
        const { templateId, transactionList } = message.value;
        this.#gave(
          templateId,
          transactionList.map((raw) => raw.slice()),
        );
        return;
      }
      case "RequestTransactionDataError":
        if (message.value.templateId === NO_TEMPLATE) this.#answered();
        else this.#gave(message.value.templateId, undefined);
        return;
      default:
        return;
    }
  }

  #offer(template: Template, cause: TemplateCause, templateId: bigint): void {
    this.#session?.arrived();
    this.#numbers.set(template.id, templateId);
    forgetOldest(this.#numbers, NUMBERS_KEPT);
    this.#listener?.onTemplate(template, cause);
  }

  #gave(templateId: bigint, transactions: readonly Uint8Array[] | undefined): void {
    const waiting = this.#wanted.get(templateId);
    // Nobody asked: it must not fill our memory.
    if (waiting === undefined) return;
    this.#wanted.delete(templateId);
    if (transactions !== undefined) {
      this.#transactions.set(templateId, transactions);
      forgetOldest(this.#transactions, KEPT);
    }
    for (const resolve of waiting) resolve(transactions);
  }

  #sendConstraints({ bytes, sigops }: OutputConstraints): void {
    const fields = { coinbaseOutputMaxAdditionalSize: bytes, coinbaseOutputMaxAdditionalSigops: sigops };
    this.#send?.(templates.encode("CoinbaseOutputConstraints", fields));
  }

  #answered(): void {
    this.#answers += 1;
    if (this.#answers >= this.#barrier) this.#constraints.answered();
  }

  #ask(): void {
    this.#questions += 1;
    this.#askedMs = this.#deps.clock.monotonicMs();
    this.#send?.(templates.encode("RequestTransactionData", { templateId: NO_TEMPLATE }));
  }

  #listen(end: (reason: string) => void): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#heardMs >= 3 * ASK_AFTER_MS) {
      const forMs = Math.round(nowMs - this.#heardMs);
      this.#session?.blame(new Fault("template-provider-silent", { provider: this.#provider.name, forMs }));
      end("silent");
    } else if (this.#isSetUp && nowMs - this.#heardMs >= ASK_AFTER_MS && nowMs - this.#askedMs >= ASK_AFTER_MS) {
      this.#ask();
    }
  }
}

function forgetOldest<K>(map: Map<K, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
