/**
 * A server of one small subprotocol beside mining: accepts connections through the common door, runs a session for each, and lets its owner
 * talk to all of them. Connections are few, some hundred at most; what is sent to all is sent in one turn.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { sleep } from "../kernel/clock.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import { Fault } from "../kernel/fault.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import { Connection } from "../sv2/connection.ts";
import { NoiseResponder } from "../sv2/noise/handshake.ts";
import type { Door } from "./door.ts";
import { listen } from "./listening.ts";
import type { ServerNoise } from "./server.ts";
import type { ServerLimits } from "./server-options.ts";
import { type Peer, Session } from "./session.ts";
import type { Stream, Transport } from "./transport.ts";

/** How long a client may take none of the bytes that wait for it, ms. */
const STALL_TIMEOUT_MS = 30_000;

/** How long clients have to hang up after our goodbye, ms. */
const GOODBYE_MS = 1_000;

/** A peer's other side, once it is there. */
export interface ServedPeer extends Peer {
  /** About once a second. */
  tick(): void;
}

/** What a peer is made with. */
export interface PeerSurroundings {
  /** Unique among the connections of this server. */
  readonly connection: number;
  /** Takes whole plain frames for the client. */
  readonly send: (frame: Uint8Array) => void;
  /** Bytes that wait for the client. */
  readonly waiting: () => number;
  readonly log: Log;
}

/** What the server works with. */
export interface PeerServerDeps<P extends ServedPeer> {
  /** Started and stopped by the server. */
  readonly transports: readonly Transport[];
  readonly door: Door;
  /** `undefined` serves plain frames, for tests. */
  readonly noise: ServerNoise | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly peer: (surroundings: PeerSurroundings) => P;
}

/** Options of `PeerServer`. */
export interface PeerServerOptions {
  /** Name of the part, and of its connections in logs. */
  readonly name: string;
  /** Bytes of unfinished messages of all clients together; above it the client with the most of them is closed. */
  readonly unfinishedBytes: number;
  readonly limits: Omit<ServerLimits, "connectionsPerAddress" | "networks" | "handshakesPerSecond">;
}

/** The server. */
export class PeerServer<P extends ServedPeer> implements Part {
  readonly name: string;
  readonly #deps: PeerServerDeps<P>;
  readonly #options: PeerServerOptions;
  readonly #sessions = new Set<Session<P>>();
  #unsubscribe: Unsubscribe = () => undefined;
  #ticker: Timer | undefined;
  #lastId = 0;

  constructor(deps: PeerServerDeps<P>, options: PeerServerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.name = options.name;
  }

  /** Where clients connect, `host:port` for each transport; empty before `start`. */
  get addresses(): string[] {
    return this.#deps.transports.flatMap(({ address }) => (address === undefined ? [] : [address]));
  }

  /** Open connections. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Runs `work` for every peer that still listens; what it throws closes that connection alone. */
  each(work: (peer: P) => void): void {
    for (const session of this.#sessions) if (session.listening) session.guard(() => work(session.peer));
  }

  /** Listens. Throws `Fault("listen-failed")`; transports that listened already are stopped again. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, noise } = this.#deps;
    noise?.identity.current();
    const accept = (stream: Stream, isSecured: boolean): void => this.#accept(stream, isSecured);
    this.#unsubscribe = await listen({ ...this.#deps, accept }, signal);
    this.#ticker = clock.every(1000, () => this.#tick());
  }

  /** Says the last to everybody and waits a moment for them to hang up. */
  async stop(): Promise<void> {
    const { clock, transports } = this.#deps;
    for (const transport of transports) transport.refuse();
    this.#unsubscribe();
    for (const session of this.#sessions) session.drain();
    if (this.#sessions.size > 0) await sleep(clock, GOODBYE_MS);
    for (const session of this.#sessions) session.destroy();
    this.#ticker?.cancel();
    await Promise.all(transports.map((transport) => transport.stop()));
  }

  #accept(stream: Stream, secured: boolean): void {
    const { door, meter, noise } = this.#deps;
    if (this.#sessions.size >= this.#options.limits.connections) {
      meter.count("connections_refused_total", 1, { reason: "connections" });
      stream.destroy();
      return;
    }
    const ticket = stream.admitted ?? door.admit(stream.remoteAddress);
    if (ticket === undefined) {
      stream.destroy();
      return;
    }
    this.#sessions.add(this.#session(stream, ticket, secured ? noise : undefined));
  }

  #session(stream: Stream, ticket: ReturnType<Door["admit"]> & object, noise: ServerNoise | undefined): Session<P> {
    const { clock, meter, door } = this.#deps;
    const { limits, name } = this.#options;
    this.#lastId += 1;
    const connection = this.#lastId;
    const peer = `${stream.remoteAddress}:${stream.remotePort}`;
    const log = this.#deps.log.child({ connection: `${name} ${connection}`, peer });
    const handshake =
      noise === undefined
        ? undefined
        : new NoiseResponder({
            crypto: noise.crypto,
            identity: noise.identity,
            ephemeral: () => noise.ephemeralKeys.take(),
          });
    const session: Session<P> = new Session<P>(
      {
        stream,
        connection: new Connection({ noise: handshake }, { role: "server", maxFrameSize: limits.frameBytes }),
        peer: (send, waiting) => this.#deps.peer({ connection, send, waiting, log }),
        costlyActSize: handshake?.expects ?? 0,
        door,
        ticket,
        clock,
        log,
        meter,
        onGone: () => void this.#sessions.delete(session),
        onUnfinished: () => this.#boundUnfinished(),
      },
      { ...limits, messageBurst: 2 * limits.messagesPerSecond, stallTimeoutMs: STALL_TIMEOUT_MS },
    );
    return session;
  }

  /** A long frame is kept until it is whole: each client may hold one, all together must not fill the memory. */
  #boundUnfinished(): void {
    let sum = 0;
    let largest: Session<P> | undefined;
    for (const session of this.#sessions) {
      if (!session.listening) continue;
      sum += session.unfinishedBytes;
      if (session.unfinishedBytes > (largest?.unfinishedBytes ?? 0)) largest = session;
    }
    if (sum <= this.#options.unfinishedBytes) return;
    largest?.guard(() => {
      throw new Fault("unfinished-too-large", { bytes: sum, ofThisClient: largest.unfinishedBytes });
    });
  }

  #tick(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const session of this.#sessions) {
      session.tick(nowMs);
      if (session.listening) session.guard(() => session.peer.tick());
    }
  }
}
