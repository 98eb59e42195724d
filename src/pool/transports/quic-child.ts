/**
 * The inside of the QUIC process: the real transport at one end, the server's pipe at the other, and each stream's bytes between. When
 * the pipe is full, streams are not read until it is not.
 */
import type { Duplex } from "node:stream";
import type { Clock } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Random } from "../../kernel/random.ts";
import type { QuicCertificate } from "../../quic/config.ts";
import type { Quiche } from "../../quic/quiche.ts";
import type { QuicStreamListener } from "../../quic/stream.ts";
import type { OpenUdp } from "../../quic/udp.ts";
import type { Stream } from "../transport.ts";
import { type QuicOptions, QuicTransport } from "./quic.ts";
import {
  encodeJson,
  encodeMessage,
  FROM_PROCESS,
  type PipeMessage,
  PipeReader,
  payloadText,
  TO_PROCESS,
} from "./quic-wire.ts";

/** The first message's payload. */
export interface QuicProcessStart {
  readonly options: QuicOptions;
  readonly certificate: QuicCertificate;
}

/** What the process works with. */
export interface QuicChildDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly quiche: () => Promise<Quiche>;
  readonly udp: OpenUdp;
  readonly pipe: Duplex;
  /** Bytes of memory that the process has. */
  readonly rss: () => number;
  /** Ends the process. */
  readonly exit: () => void;
}

/** A stream and how far it is. */
interface Relayed {
  readonly stream: Stream;
  pausedByServer: boolean;
  /** Bytes that came for it and were not reported as taken. */
  owed: number;
}

/** How often streams that hold bytes are looked at, ms. */
const TAKEN_EVERY_MS = 10;

/** Serves until the pipe ends. */
export class QuicChild {
  readonly #deps: QuicChildDeps;
  readonly #relayed = new Map<number, Relayed>();
  /** Streams whose peers have not taken all: what they took is reported now and then. */
  readonly #holding = new Set<number>();
  /** Not read because the pipe is full. */
  readonly #held = new Set<Relayed>();
  #transport: QuicTransport | undefined;
  #certificate: QuicCertificate | undefined;
  #lastId = 0;
  #full = false;

  constructor(deps: QuicChildDeps) {
    this.#deps = deps;
    const reader = new PipeReader();
    deps.pipe.on("data", (bytes: Uint8Array) => {
      for (const message of reader.push(bytes)) this.#on(message);
    });
    deps.pipe.on("drain", () => this.#onDrain());
    // The server is gone: nobody is served by this process any more.
    deps.pipe.on("close", deps.exit);
    deps.pipe.on("error", deps.exit);
    deps.clock.every(TAKEN_EVERY_MS, () => this.#reportTaken());
  }

  #on({ type, stream: id, payload }: PipeMessage): void {
    const relayed = this.#relayed.get(id);
    switch (type) {
      case TO_PROCESS.start:
        void this.#start(JSON.parse(payloadText(payload)) as QuicProcessStart);
        break;
      case TO_PROCESS.certificate:
        this.#renew(JSON.parse(payloadText(payload)) as QuicCertificate);
        break;
      case TO_PROCESS.data:
        if (relayed !== undefined) this.#write(id, relayed, payload);
        break;
      case TO_PROCESS.pause:
        if (relayed !== undefined) relayed.pausedByServer = true;
        relayed?.stream.pause();
        break;
      case TO_PROCESS.resume:
        if (relayed !== undefined) relayed.pausedByServer = false;
        if (relayed !== undefined && !this.#held.has(relayed)) relayed.stream.resume();
        break;
      case TO_PROCESS.end:
        relayed?.stream.end();
        break;
      case TO_PROCESS.destroy:
        relayed?.stream.destroy();
        break;
      case TO_PROCESS.refuse:
        this.#transport?.refuse();
        break;
      case TO_PROCESS.stop:
        void this.#stop();
        break;
      case TO_PROCESS.ping:
        this.#send(
          encodeJson(FROM_PROCESS.alive, 0, { rss: this.#deps.rss(), connections: this.#transport?.connections ?? 0 }),
        );
        break;
      default:
        throw new RangeError(`a message of type ${type}`);
    }
  }

  async #start({ options, certificate }: QuicProcessStart): Promise<void> {
    this.#certificate = certificate;
    const transport = new QuicTransport(
      { ...this.#deps, certificate: () => this.#certificate ?? certificate },
      options,
    );
    this.#transport = transport;
    transport.onStream((stream) => this.#open(stream));
    transport.onTrouble((error) => this.#send(encodeMessage(FROM_PROCESS.trouble, 0, text(error.message))));
    try {
      await transport.start(new AbortController().signal);
      this.#send(encodeJson(FROM_PROCESS.ready, 0, { address: transport.address }));
    } catch (error) {
      const reason = describe(error);
      const fault =
        error instanceof Fault ? { code: error.code, data: error.data } : { code: undefined, data: { reason } };
      this.#send(encodeJson(FROM_PROCESS.failed, 0, fault));
    }
  }

  #renew(certificate: QuicCertificate): void {
    const former = this.#certificate;
    this.#certificate = certificate;
    let reason = "";
    try {
      this.#transport?.renew();
    } catch (error) {
      this.#certificate = former;
      reason = describe(error);
    }
    this.#send(encodeMessage(FROM_PROCESS.certified, 0, text(reason)));
  }

  async #stop(): Promise<void> {
    await this.#transport?.stop();
    this.#deps.pipe.end(this.#deps.exit);
  }

  #open(stream: Stream): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const relayed: Relayed = { stream, pausedByServer: false, owed: 0 };
    this.#relayed.set(id, relayed);
    this.#send(encodeJson(FROM_PROCESS.opened, id, { host: stream.remoteAddress, port: stream.remotePort }));
    const listener: QuicStreamListener = {
      onData: (bytes) => {
        this.#send(encodeMessage(FROM_PROCESS.data, id, bytes));
        if (!this.#full) return;
        stream.pause();
        this.#held.add(relayed);
      },
      onDrain: () => this.#taken(id, relayed),
      // The server ends its direction itself, once it has answered what came before.
      onEnd: () => this.#send(encodeMessage(FROM_PROCESS.ended, id)),
      onClose: (cause) => {
        this.#relayed.delete(id);
        this.#holding.delete(id);
        this.#held.delete(relayed);
        this.#send(encodeMessage(FROM_PROCESS.closed, id, text(cause?.message ?? "")));
      },
    };
    stream.attach(listener);
  }

  #write(id: number, relayed: Relayed, bytes: Uint8Array): void {
    relayed.owed += bytes.length;
    relayed.stream.write(bytes);
    this.#taken(id, relayed);
  }

  #reportTaken(): void {
    for (const id of this.#holding) {
      const relayed = this.#relayed.get(id);
      if (relayed !== undefined) this.#taken(id, relayed);
    }
  }

  /** Tells the server what left for the peer; it counts the rest as waiting. */
  #taken(id: number, relayed: Relayed): void {
    const waiting = relayed.stream.bufferedBytes;
    if (waiting > 0) this.#holding.add(id);
    else this.#holding.delete(id);
    const taken = relayed.owed - waiting;
    if (taken <= 0) return;
    relayed.owed = waiting;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, taken, true);
    this.#send(encodeMessage(FROM_PROCESS.taken, id, payload));
  }

  #send(message: Uint8Array): void {
    if (!this.#deps.pipe.write(message)) this.#full = true;
  }

  #onDrain(): void {
    this.#full = false;
    const held = [...this.#held];
    this.#held.clear();
    for (const relayed of held) if (!relayed.pausedByServer) relayed.stream.resume();
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
