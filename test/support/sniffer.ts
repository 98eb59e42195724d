/**
 * A man in the middle between two real SV2 parts, as SRI's Sniffer (sv2-apps integration-tests/lib/sniffer.rs): it ends the
 * encryption on both sides with keys that the test knows, records what passes in each direction, and can hold back or
 * replace messages on the way. It runs over real sockets, plain or Noise: clients reach it over TCP, and it reaches the server over
 * any transport.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { concat } from "../../src/kernel/bytes.ts";
import { Connection } from "../../src/sv2/connection.ts";
import type { Frame } from "../../src/sv2/frame.ts";
import { encodeFrameHeader } from "../../src/sv2/frame.ts";
import type { NoiseHandshake } from "../../src/sv2/noise/ports.ts";
import { Inbox } from "./inbox.ts";
import { decodeMessage, encodeMessage, type Fields, type Message, type Name } from "./messages.ts";
import { TCP, type TestTransport, type Wire } from "./transports.ts";

/** Which way a message goes. */
export type Direction = "toUpstream" | "toDownstream";

/** What happens to messages called `name` in `direction`; the first intercept that fits is applied. */
export interface Intercept {
  readonly direction: Direction;
  readonly name: Name;
  /** `ignore`: it is recorded but not passed on. A function: the frames that are passed on in its place. */
  readonly action: "ignore" | ((message: Message) => readonly Uint8Array[]);
}

/** Replaces a message by another one. */
export function replaceBy<N extends Name>(name: N, value: Fields<N>): () => readonly Uint8Array[] {
  return () => [encodeMessage(name, value)];
}

/** How a sniffer stands between the two sides; without the handshakes both are plain. */
export interface SnifferOptions {
  /** `host:port` of the server that it forwards to. */
  readonly upstream: string;
  /** Handshake with a client that connects to us; we play the server. */
  readonly responder?: () => NoiseHandshake | undefined;
  /** Handshake with the upstream; we play the client. */
  readonly initiator?: () => NoiseHandshake | undefined;
  readonly intercepts?: readonly Intercept[];
  /** How the server is reached. Default TCP. */
  readonly transport?: TestTransport;
}

const WAIT_MS = 10_000;

/** Starts a sniffer in front of a test server; it stops when the test ends. */
export async function sniff(
  server: {
    readonly address: string;
    readonly responder: () => NoiseHandshake | undefined;
    readonly initiator: () => NoiseHandshake | undefined;
    readonly transport?: TestTransport;
  },
  ...intercepts: readonly Intercept[]
): Promise<Sniffer> {
  const { address, responder, initiator, transport = TCP } = server;
  const sniffer = await Sniffer.start({ upstream: address, responder, initiator, intercepts, transport });
  onTestFinished(() => sniffer.stop());
  return sniffer;
}

/** One listening proxy; all its connections share the two queues. */
export class Sniffer {
  readonly #options: SnifferOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Wire>();
  readonly #inboxes: Readonly<Record<Direction, Inbox<Message>>> = {
    toUpstream: new Inbox(({ name }) => name),
    toDownstream: new Inbox(({ name }) => name),
  };

  private constructor(options: SnifferOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => void this.#relay(socket));
  }

  /** Listens on a free loopback port. */
  static async start(options: SnifferOptions): Promise<Sniffer> {
    const sniffer = new Sniffer(options);
    await new Promise<void>((resolve) => void sniffer.#server.listen(0, "127.0.0.1", resolve));
    return sniffer;
  }

  /** `host:port` for clients. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Everything that passed in `direction`, in order. */
  messages(direction: Direction): readonly Message[] {
    return this.#inboxes[direction].all;
  }

  /** The next message called `name`; it and what came before it in that direction count as read. */
  async waitFor<N extends Name>(direction: Direction, name: N, timeoutMs = WAIT_MS): Promise<Fields<N>> {
    const found = await this.#inboxes[direction].next((one) => one.name === name, name, timeoutMs);
    return (found as Message<N>).value;
  }

  /** The next message of any kind; `undefined` when all were read. */
  next(direction: Direction): Message | undefined {
    const [first] = this.#inboxes[direction].unread;
    if (first !== undefined) void this.#inboxes[direction].next((one) => one === first, first.name, 0);
    return first;
  }

  /** Watches for `ms` and fails if an unread message called `name` is there or comes. */
  async assertAbsent(direction: Direction, name: Name, ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (this.#inboxes[direction].unread.some((one) => one.name === name)) {
      throw new Error(`${name} was sent ${direction}`);
    }
  }

  /** Breaks the connections that pass; others may come. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Closes everything. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #relay(downstream: Socket): Promise<void> {
    const { upstream: address, responder, initiator, transport = TCP } = this.#options;
    // Until both sides are there nobody else listens for it.
    downstream.on("error", () => undefined);
    let upstream: Wire;
    try {
      upstream = await transport.reach(address);
    } catch {
      downstream.destroy();
      return;
    }
    const below = new Connection({ noise: responder?.() }, { role: "server", maxFrameSize: 0xffffff });
    const above = new Connection({ noise: initiator?.() }, { role: "client", maxFrameSize: 0xffffff });
    pump(above, upstream);
    this.#forward("toUpstream", downstream, below, upstream, above);
    this.#forward("toDownstream", upstream, above, downstream, below);
  }

  /** Moves frames from one side to the other; those that come before the other side's handshake is done wait for it. */
  #forward(direction: Direction, from: Wire, source: Connection, to: Wire, target: Connection): void {
    let waiting: Uint8Array[] = [];
    this.#sockets.add(from);
    const send = (): void => {
      if (!target.established) return;
      for (const frame of waiting) to.write(target.send(frame));
      waiting = [];
    };
    const onEstablished = (): void => {
      pump(target, to);
      send();
    };
    // The other direction's data may complete this target's handshake.
    to.on("data", () => queueMicrotask(onEstablished));
    from.on("data", (bytes: Uint8Array) => {
      for (const frame of source.receive(bytes)) waiting.push(...this.#pass(direction, frame));
      pump(source, from);
      send();
    });
    from.on("error", () => to.destroy());
    from.on("end", () => to.end());
    from.on("close", () => {
      this.#sockets.delete(from);
      if (to.writableFinished) to.destroy();
      else to.end(() => to.destroy());
    });
  }

  /** Records a frame and says what is passed on instead. */
  #pass(direction: Direction, frame: Frame): readonly Uint8Array[] {
    const message = decodeMessage(frame, direction === "toUpstream" ? "server" : "client");
    if (message === undefined) return [wholeFrame(frame)];
    this.#inboxes[direction].push(message);
    const intercept = this.#options.intercepts?.find((one) => one.direction === direction && one.name === message.name);
    if (intercept === undefined) return [wholeFrame(frame)];
    return intercept.action === "ignore" ? [] : intercept.action(message);
  }
}

/** Writes what a handshake has to say. */
function pump(connection: Connection, socket: Wire): void {
  for (let out = connection.output(); out !== undefined; out = connection.output()) socket.write(out);
}

/** A frame's bytes, channel bit and all. */
function wholeFrame({ extensionType, channel, msgType, payload }: Frame): Uint8Array {
  return concat(encodeFrameHeader({ extensionType, channel, msgType, length: payload.length }), payload);
}
