/**
 * A TCP connection to the TLS port until its handshake is done. It has a place behind the door from the first moment, so
 * half-open connections count like open ones, and a deadline that also covers what the session does afterwards. Reading its
 * first message costs next to nothing; the handshake itself waits for its turn like every Noise handshake.
 */
import type { Socket } from "node:net";
import { concat } from "../../kernel/bytes.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Admitted, Door } from "../door.ts";
import { plainText } from "../foreign-protocol.ts";
import type { GatePlace } from "../handshake-gate.ts";
import { type ClientHello, readClientHello, TLS_1_3 } from "./client-hello.ts";

/** The protocol's name in TLS (ALPN). */
export const ALPN_SV2 = "sv2";

/** What a knock works with. */
export interface TlsKnockDeps {
  readonly socket: Socket;
  readonly admitted: Admitted;
  readonly door: Door;
  readonly clock: Clock;
  /** Its turn came: begins the handshake on the socket, whose first bytes are unread again. */
  readonly handshake: () => void;
  /** It was turned away; the socket is closed, or closes once it was told why. */
  readonly onRefused: (fault: Fault) => void;
  /** The socket closed, or `done` was called; called once. */
  readonly onGone: () => void;
}

/** Fatal alerts (RFC 8446 §6.2) that are sent before the TLS library is involved. */
const ALERT = { decodeError: 50, protocolVersion: 70, noApplicationProtocol: 120 } as const;

/** One connection before its stream. */
export class TlsKnock {
  readonly #deps: TlsKnockDeps;
  readonly #deadline: Timer;
  readonly #onData = (bytes: Uint8Array): void => this.#receive(bytes);
  readonly #onClose = (): void => {
    this.#deps.admitted.release();
    this.#forget();
  };
  #received: Uint8Array = new Uint8Array(0);
  #place: GatePlace | undefined;
  #over = false;

  constructor(deps: TlsKnockDeps) {
    this.#deps = deps;
    const { socket, door, clock } = deps;
    this.#deadline = clock.after(door.handshakeTimeoutMs, () => {
      this.refuse(new Fault("handshake-timeout", { afterMs: door.handshakeTimeoutMs, established: false }));
    });
    // Why it closed is told by whoever closed it; a peer that resets is no news.
    socket.on("error", () => undefined);
    socket.on("close", this.#onClose);
    socket.on("data", this.#onData);
  }

  /** The handshake is done: the place goes over to the stream. */
  done(): Admitted {
    this.#deps.socket.off("close", this.#onClose);
    this.#forget();
    return this.#deps.admitted;
  }

  /** Turns the peer away, after an alert that says why where it can be told. */
  refuse(fault: Fault, alert?: number): void {
    if (this.#over) return;
    const { socket } = this.#deps;
    this.#forget();
    this.#deps.onRefused(fault);
    if (alert === undefined) socket.destroy();
    else socket.end(Uint8Array.of(21, 3, 3, 0, 2, 2, alert), () => socket.destroy());
  }

  /** Closes without a word: we are stopping. */
  destroy(): void {
    this.#deps.socket.destroy();
  }

  #forget(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline.cancel();
    this.#place?.leave();
    this.#deps.socket.off("data", this.#onData);
    this.#deps.onGone();
  }

  #receive(bytes: Uint8Array): void {
    this.#received = concat(this.#received, bytes);
    let hello: ClientHello | undefined;
    try {
      hello = readClientHello(this.#received);
    } catch (error) {
      const looksLike = plainText(this.#received);
      if (looksLike !== undefined) this.refuse(new Fault("not-stratum-v2", { looksLike }));
      else if (error instanceof Fault && error.code === "tls-refused") this.refuse(error);
      else
        this.refuse(new Fault("tls-refused", { reason: "a broken ClientHello" }, { cause: error }), ALERT.decodeError);
      return;
    }
    if (hello === undefined) return;
    if (!hello.versions.includes(TLS_1_3)) {
      this.refuse(new Fault("tls-refused", { reason: "it offers no TLS 1.3" }), ALERT.protocolVersion);
    } else if (!hello.protocols.includes(ALPN_SV2)) {
      const offered = hello.protocols.length === 0 ? "no protocol" : "other protocols";
      this.refuse(new Fault("tls-refused", { reason: `it offers ${offered} (ALPN)` }), ALERT.noApplicationProtocol);
    } else {
      this.#queue();
    }
  }

  /** Holds the socket until its turn, its first bytes unread again. */
  #queue(): void {
    const { socket, door, admitted, handshake } = this.#deps;
    socket.off("data", this.#onData);
    socket.pause();
    socket.unshift(this.#received);
    this.#received = new Uint8Array(0);
    this.#place = door.gate.enter(admitted.subscriber, handshake);
    if (this.#place === undefined) handshake();
  }
}
