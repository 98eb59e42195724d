/**
 * An outgoing WebSocket (RFC 6455) as a small port, for daemons that push notices over it: rskj's new heads, Hathor's templates.
 * Node 20 has no WebSocket of its own; `ws` is the library that most others are built on. The only file that opens them.
 */
import { WebSocket } from "ws";
import { printable } from "./rpc-failure.ts";

/** What a connection tells. `onClose` is called exactly once, also when it never opened; nothing follows it. */
export interface WebSocketEvents {
  onOpen(): void;
  /** A whole message of text. Binary ones close the connection: no daemon here sends any. */
  onMessage(text: string): void;
  /** The answer to a `ping`. */
  onPong(): void;
  /** Why it ended, in a few words without the address. */
  onClose(reason: string): void;
}

/** An open or opening connection. */
export interface ClientWebSocket {
  /** Sends text; lost without a word when the connection is not open. */
  send(text: string): void;
  ping(): void;
  /** Closes at once, without the closing handshake; `onClose` follows. */
  close(): void;
}

/** How a connection is opened, and its limits. */
export interface WebSocketLimits {
  /** Sent with the opening handshake. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of a message; a longer one closes the connection. */
  readonly maxBytes: number;
  /** Ms from the first packet to the end of the opening handshake. */
  readonly handshakeMs: number;
}

/** Opens a connection to a `ws:` or `wss:` URL. Never throws: what is wrong is told by `onClose`. */
export type ConnectWebSocket = (url: string, limits: WebSocketLimits, events: WebSocketEvents) => ClientWebSocket;

/** Connects with the npm package `ws`. Redirects are not followed, messages are not compressed. */
export const connectWebSocket: ConnectWebSocket = (url, limits, events) => {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, {
      headers: { ...limits.headers },
      handshakeTimeout: limits.handshakeMs,
      maxPayload: limits.maxBytes,
      perMessageDeflate: false,
      followRedirects: false,
    });
  } catch {
    queueMicrotask(() => events.onClose("the address is not a usable ws:// URL"));
    return { send() {}, ping() {}, close() {} };
  }
  let reason: string | undefined;
  socket.on("open", () => events.onOpen());
  socket.on("message", (data, isBinary) => {
    if (isBinary) {
      reason ??= "it sent binary data";
      socket.terminate();
    } else if (reason === undefined) events.onMessage(String(data));
  });
  socket.on("pong", () => events.onPong());
  socket.on("error", (error) => {
    const code = "code" in error && typeof error.code === "string" ? error.code : "";
    reason ??= code === "" ? printable(error.message) : code;
  });
  socket.on("close", (code) => events.onClose(reason ?? `the daemon closed the connection (${code})`));
  const isOpen = (): boolean => socket.readyState === WebSocket.OPEN;
  return {
    send: (text) => void (isOpen() && socket.send(text)),
    ping: () => void (isOpen() && socket.ping()),
    close: () => {
      reason ??= "closed";
      socket.terminate();
    },
  };
};
