/**
 * Keeps one WebSocket open to a daemon for its notices: connects again with growing pauses, and ends a connection over which
 * nothing comes back, since a daemon's machine may vanish without a packet. A feed only makes things faster: whoever uses it polls too.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import type { ClientWebSocket, ConnectWebSocket } from "./websocket.ts";

/** What a feed needs. */
export interface WebSocketFeedDeps {
  readonly clock: Clock;
  readonly connect: ConnectWebSocket;
}

/** Which feed. */
export interface WebSocketFeedOptions {
  /** `ws:` or `wss:` URL. */
  readonly url: string;
  /** For a daemon behind a proxy that asks for it (HTTP basic authentication). */
  readonly login?: { readonly user: string; readonly password: string } | undefined;
  /** Texts that are sent as soon as a connection is open. */
  readonly greeting: readonly string[];
  /** A message of the daemon. May throw: that ends the connection, as what it says is not what was asked for. */
  onMessage(text: string): void;
  /**
   * `undefined` when a connection opened, else why there is none. Told at each change, not at each attempt. `isAgain`: the last one like it was less
   * than ten minutes ago, so that it is no news for operators.
   */
  onState?(trouble: string | undefined, isAgain: boolean): void;
}

/** Bytes of a message: block headers and templates have a few KiB. */
const MAX_BYTES = 1 << 20;
const HANDSHAKE_MS = 10_000;
/** Silence after which the daemon is pinged; as long again without an answer ends the connection. */
const PING_MS = 20_000;
/** First and longest pause before connecting again. */
const PAUSE_MS = { first: 1000, longest: 30_000 } as const;
const TELL_AGAIN_MS = 600_000;

/** One feed. */
export class WebSocketFeed {
  readonly #deps: WebSocketFeedDeps;
  readonly #options: WebSocketFeedOptions;
  #socket: ClientWebSocket | undefined;
  #timer: Timer | undefined;
  #pauseMs: number = PAUSE_MS.first;
  #stopped = false;
  #heard = false;
  #told: string | undefined | null = null;
  /** Monotonic ms of the last state that was told as news, by whether a connection opened. */
  readonly #newsMs = new Map<boolean, number>();

  constructor(deps: WebSocketFeedDeps, options: WebSocketFeedOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Begins to connect. Call once. */
  start(): void {
    this.#connect();
  }

  /** Closes the connection and never opens another; no call of `onMessage` or `onState` follows. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #connect(): void {
    const { url, login } = this.#options;
    const limits = { headers: headersOf(login), maxBytes: MAX_BYTES, handshakeMs: HANDSHAKE_MS };
    const socket = this.#deps.connect(url, limits, {
      onOpen: () => {
        if (this.#stopped) return;
        for (const text of this.#options.greeting) socket.send(text);
        this.#watch(socket);
        this.#tell(undefined);
      },
      onMessage: (text) => {
        if (this.#stopped) return;
        this.#heard = true;
        try {
          this.#options.onMessage(text);
          // Only a daemon that says what is expected is worth a quick return.
          this.#pauseMs = PAUSE_MS.first;
        } catch {
          socket.close();
        }
      },
      onPong: () => {
        this.#heard = true;
      },
      onClose: (reason) => {
        if (this.#stopped) return;
        this.#timer?.cancel();
        this.#tell(reason);
        const pauseMs = this.#pauseMs;
        this.#pauseMs = Math.min(PAUSE_MS.longest, pauseMs * 2);
        this.#timer = this.#deps.clock.after(pauseMs, () => this.#connect());
      },
    });
    this.#socket = socket;
  }

  #watch(socket: ClientWebSocket): void {
    this.#heard = true;
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.every(PING_MS, () => {
      if (!this.#heard) return socket.close();
      this.#heard = false;
      socket.ping();
    });
  }

  #tell(trouble: string | undefined): void {
    if (this.#told === trouble) return;
    this.#told = trouble;
    const nowMs = this.#deps.clock.monotonicMs();
    const newsMs = this.#newsMs.get(trouble === undefined);
    const isAgain = newsMs !== undefined && nowMs - newsMs < TELL_AGAIN_MS;
    if (!isAgain) this.#newsMs.set(trouble === undefined, nowMs);
    this.#options.onState?.(trouble, isAgain);
  }
}

function headersOf(login: WebSocketFeedOptions["login"]): Readonly<Record<string, string>> {
  if (login === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${login.user}:${login.password}`, "utf8").toString("base64")}` };
}
