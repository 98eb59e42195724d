/**
 * The other end of a miner's connection, in memory: it records what the miner sends and says what a test tells it to. Both
 * directions go through real framing, and through real Noise when a responder is given.
 */

import type { Dial, LinkListener } from "../../src/client/link.ts";
import { Fault } from "../../src/kernel/fault.ts";
import { Connection } from "../../src/sv2/connection.ts";
import type { NoiseHandshake } from "../../src/sv2/noise/ports.ts";
import { decodeMessage, encodeMessage, type Fields, type Message, type Name } from "./messages.ts";

/** How the server behaves. */
export interface ScriptedServerOptions {
  /** Makes the server's side of each handshake; plain without. */
  readonly noise?: () => NoiseHandshake;
  /** Called with each message; answers with `server.send`. */
  readonly onMessage?: (message: Message, server: ScriptedServer) => void;
}

/** A server that any number of connections can be dialled to, one at a time. */
export class ScriptedServer {
  /** Where each connection was dialled to. */
  readonly dialled: { readonly host: string; readonly port: number }[] = [];
  /** All messages of all connections, in order. */
  readonly received: Message[] = [];
  /** What is thrown at the next dial, once. */
  refusal: Error | undefined;
  /** Whether bytes of the client are thrown away unread. */
  deaf = false;
  /** Times that the client hung up. */
  hangUps = 0;
  readonly #options: ScriptedServerOptions;
  #connection: Connection | undefined;
  #listener: LinkListener | undefined;

  constructor(options: ScriptedServerOptions = {}) {
    this.#options = options;
  }

  /** Opens a stream to this server. */
  readonly dial: Dial = async ({ host, port }, listener) => {
    this.dialled.push({ host, port });
    const refusal = this.refusal;
    this.refusal = undefined;
    if (refusal !== undefined) throw refusal;
    const connection = new Connection({ noise: this.#options.noise?.() }, { role: "server", maxFrameSize: 65536 });
    this.#connection = connection;
    this.#listener = listener;
    let open = true;
    const close = (): void => {
      if (open) this.hangUps += 1;
      open = false;
    };
    return {
      write: (bytes) => {
        if (open && !this.deaf) this.#receive(connection, bytes);
      },
      end: close,
      destroy: close,
    };
  };

  /** Sends a message to the client. */
  send<N extends Name>(name: N, value: Fields<N>): void {
    this.sendFrame(encodeMessage(name, value));
  }

  /** Sends a whole plain frame. */
  sendFrame(frame: Uint8Array): void {
    this.sendBytes((this.#connection as Connection).send(frame));
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    this.#listener?.onData(bytes);
  }

  /** Ends the connection from this side. */
  hangUp(reason = "the server closed the connection"): void {
    this.#listener?.onClose(reason);
  }

  /** The messages called `name` that came so far. */
  got<N extends Name>(name: N): Fields<N>[] {
    return this.received.filter((message) => message.name === name).map((message) => message.value as Fields<N>);
  }

  #receive(connection: Connection, bytes: Uint8Array): void {
    const frames = connection.receive(bytes);
    for (let act = connection.output(); act !== undefined; act = connection.output()) this.#listener?.onData(act);
    for (const frame of frames) {
      const message = decodeMessage({ ...frame, payload: frame.payload.slice() }, "server");
      if (message === undefined) throw new Fault("message-unknown", { type: frame.msgType });
      this.received.push(message);
      this.#options.onMessage?.(message, this);
    }
  }
}
