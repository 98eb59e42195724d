/** Unix sockets without a system: a test plays the node's end of every connection. */
import type { ConnectUnix, SocketEvents, UnixSocket } from "../../src/daemon/socket.ts";
import type { ModuleMessage } from "../../src/node/bllvm/wire/codec.ts";
import { wireCodec } from "../../src/node/bllvm/wire/codec.ts";
import { FrameSlicer } from "../../src/node/bllvm/wire/frames.ts";
import type { Schema } from "../../src/node/bllvm/wire/schema.ts";

/** The node's end of one connection. */
export class FakeUnixPeer implements UnixSocket {
  readonly path: string;
  /** What was written, undecoded. */
  readonly writes: Uint8Array[] = [];
  /** What was written, decoded; the handshake too. */
  readonly messages: ModuleMessage[] = [];
  bufferedBytes = 0;
  /** Whether what is written is taken; `false` lets `bufferedBytes` grow. */
  reading = true;
  destroyed = false;
  schema: Schema = "s3";
  /** Called for each message that comes. */
  onMessage: ((message: ModuleMessage) => void) | undefined;
  readonly #events: SocketEvents;
  readonly #slicer = new FrameSlicer({ maxPayload: 40 << 20 });
  #closed = false;

  constructor(path: string, events: SocketEvents) {
    this.path = path;
    this.#events = events;
  }

  write(bytes: Uint8Array): void {
    if (this.destroyed) return;
    this.writes.push(bytes);
    if (!this.reading) {
      this.bufferedBytes += bytes.length;
      return;
    }
    for (const payload of this.#slicer.push(bytes)) {
      const message = this.#decode(payload);
      if (message === undefined) return;
      this.messages.push(message);
      this.onMessage?.(message);
    }
  }

  /** A node closes, a moment later, at what it cannot read. */
  #decode(payload: Uint8Array): ModuleMessage | undefined {
    try {
      return wireCodec(this.schema).decode(payload);
    } catch {
      queueMicrotask(() => this.close());
      return undefined;
    }
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** The connection is accepted by the system. */
  open(): void {
    if (!this.destroyed) this.#events.onOpen();
  }

  /** The node sends bytes. */
  send(bytes: Uint8Array): void {
    if (!this.destroyed && !this.#closed) this.#events.onData(bytes);
  }

  /** The node sends a message. */
  say(message: ModuleMessage): void {
    this.send(wireCodec(this.schema).encode(message));
  }

  /** The node closes, or the system refuses. */
  close(code?: string): void {
    if (this.#closed || this.destroyed) return;
    this.#closed = true;
    this.#events.onClose(code === undefined ? undefined : Object.assign(new Error(code), { code }));
  }

  /** Requests that came, by name. */
  get requests(): string[] {
    return this.messages.flatMap((message) => (message.type === "Request" ? [message.request.name] : []));
  }

  /** The last request of that name. */
  request(name: string): Extract<ModuleMessage, { type: "Request" }> {
    const found = this.messages.findLast((message) => message.type === "Request" && message.request.name === name);
    if (found?.type !== "Request") throw new Error(`no ${name} came, but ${this.requests.join(", ")}`);
    return found;
  }
}

/** A `connect` and the connections that it made. */
export function fakeUnix(): { readonly connect: ConnectUnix; readonly peers: FakeUnixPeer[] } {
  const peers: FakeUnixPeer[] = [];
  return {
    peers,
    connect: (path, events) => {
      const peer = new FakeUnixPeer(path, events);
      peers.push(peer);
      return peer;
    },
  };
}
