/**
 * bitcoind's `-zmqpubhashblock`: tells subscribers every new tip over ZMTP 3.1 with the NULL mechanism
 * (rfc.zeromq.org/spec/37), as libzmq inside of Core does: topic, hash in display order, a counter. Bounded: few
 * subscribers, short frames, and one that does not read is dropped.
 */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { concat, equal, utf8 } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";

const TOPIC = utf8("hashblock");
const GREETING_SIZE = 64;
const MORE = 1;
const LONG = 2;
const COMMAND = 4;

/** Bytes of one frame from a subscriber; a subscription has a few dozen. */
const MAX_FRAME = 255;
const MAX_SUBSCRIBERS = 64;

/** Bytes that may wait for a subscriber: more than a thousand notices, Core's high-water mark. */
const MAX_BUFFERED = 65_536;

/** What the publisher says first: signature, version 3.1, mechanism NULL, not as server. */
function greeting(): Uint8Array {
  const bytes = new Uint8Array(GREETING_SIZE);
  bytes[0] = 0xff;
  bytes[8] = 1;
  bytes[9] = 0x7f;
  bytes.set([3, 1], 10);
  bytes.set(utf8("NULL"), 12);
  return bytes;
}

function frame(flags: number, body: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(flags, body.length), body);
}

const READY = frame(
  COMMAND,
  concat(Uint8Array.of(5), utf8("READY\x0bSocket-Type"), Uint8Array.of(0, 0, 0, 3), utf8("PUB")),
);

/** One subscriber's side of the conversation, pure: bytes in, what to answer out. */
export class PublisherConversation {
  #buffered: Uint8Array = new Uint8Array(0);
  #greeted = false;
  readonly #subscriptions: Uint8Array[] = [];

  /** What to send as soon as the connection is there: greeting and READY. */
  opening(): Uint8Array {
    return concat(greeting(), READY);
  }

  /** Whether it wants to hear of new blocks. */
  get subscribed(): boolean {
    return this.#subscriptions.some((prefix) => equal(TOPIC.subarray(0, prefix.length), prefix));
  }

  /** Takes bytes; `false` when the peer does not speak ZMTP or sends what no subscriber sends. */
  receive(bytes: Uint8Array): boolean {
    this.#buffered = concat(this.#buffered, bytes);
    if (!this.#greeted) {
      if (this.#buffered.length < GREETING_SIZE) return this.#buffered.length === 0 || this.#buffered[0] === 0xff;
      if (this.#buffered[0] !== 0xff || this.#buffered[9] !== 0x7f || (this.#buffered[10] ?? 0) < 3) return false;
      this.#greeted = true;
      this.#buffered = this.#buffered.subarray(GREETING_SIZE);
    }
    for (;;) {
      const [flags, size] = this.#buffered;
      if (flags === undefined || size === undefined) return true;
      if ((flags & (MORE | LONG)) !== 0 || size > MAX_FRAME) return false;
      if (this.#buffered.length < 2 + size) return true;
      this.#frame(flags, this.#buffered.subarray(2, 2 + size));
      this.#buffered = this.#buffered.slice(2 + size);
    }
  }

  /** ZMTP 3.0 subscribes with a message `01 topic`, 3.1 with a command; the other way round with 00 and CANCEL. */
  #frame(flags: number, body: Uint8Array): void {
    const isCommand = (flags & COMMAND) !== 0;
    const nameLength = isCommand ? 1 + (body[0] ?? 0) : 1;
    const name = isCommand ? String.fromCharCode(...body.subarray(1, nameLength)) : body[0];
    const prefix = Uint8Array.from(body.subarray(nameLength));
    if (name === "SUBSCRIBE" || name === 1) {
      if (this.#subscriptions.length < 16) this.#subscriptions.push(prefix);
    } else if (name === "CANCEL" || name === 0) {
      const at = this.#subscriptions.findIndex((each) => equal(each, prefix));
      if (at >= 0) this.#subscriptions.splice(at, 1);
    }
  }
}

/** The bytes of one notice: `hash` in display order, `sequence` counted from 0. */
export function hashBlockMessage(hash: Uint8Array, sequence: number): Uint8Array {
  const counter = new Uint8Array(4);
  new DataView(counter.buffer).setUint32(0, sequence, true);
  return concat(frame(MORE, TOPIC), frame(MORE, Uint8Array.from(hash).reverse()), frame(0, counter));
}

/** Publishes on a port of its own. */
export class ZmqPublisher {
  readonly #deps: { readonly log: Log };
  readonly #options: { readonly host: string; readonly port: number };
  readonly #subscribers = new Map<Socket, PublisherConversation>();
  #server: Server | undefined;
  #sequence = 0;

  /** `port` 0: any free one. */
  constructor(deps: { readonly log: Log }, options: { readonly host: string; readonly port: number }) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Starts listening; resolves with the port. Throws `Fault("devnet-listen-failed")`. */
  async start(): Promise<number> {
    const { host, port } = this.#options;
    const server = createServer((socket) => this.#serve(socket));
    server.maxConnections = MAX_SUBSCRIBERS;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(new Fault("devnet-listen-failed", { host, port }, { cause })));
      server.listen(port, host, resolve);
    });
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  /** Closes the port and all connections. */
  async stop(): Promise<void> {
    for (const socket of this.#subscribers.keys()) socket.destroy();
    await new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
  }

  /** Tells all subscribers of a new tip; `hash` in internal byte order. */
  publish(hash: Uint8Array): void {
    const message = hashBlockMessage(hash, this.#sequence++);
    for (const [socket, conversation] of this.#subscribers) {
      if (!conversation.subscribed) continue;
      if (socket.writableLength > MAX_BUFFERED) socket.destroy();
      else socket.write(message);
    }
  }

  #serve(socket: Socket): void {
    const conversation = new PublisherConversation();
    this.#subscribers.set(socket, conversation);
    socket.setNoDelay(true);
    socket.on("error", (error) => this.#deps.log.debug(`ZMQ subscriber: ${error.message}`));
    socket.on("close", () => this.#subscribers.delete(socket));
    socket.on("data", (bytes) => {
      if (!conversation.receive(bytes)) socket.destroy();
    });
    socket.write(conversation.opening());
  }
}
