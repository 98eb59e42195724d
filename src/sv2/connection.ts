/**
 * One SV2 connection without its socket: bytes in, frames out; frames in, bytes out. It runs the Noise handshake when it is
 * given one (spec section 4) and passes plain frames otherwise.
 */
import { type Frame, FrameDecoder } from "./frame.ts";
import type { NoiseHandshake, TransportCipher } from "./noise/ports.ts";
import { Slicer } from "./slicer.ts";

/** How a connection is set up. */
export interface ConnectionOptions {
  /** Which side we are. Both sides read frames alike; it only has to fit the handshake. */
  readonly role: "server" | "client";
  /** The longest payload, in plain bytes, that is taken from the peer. */
  readonly maxFrameSize: number;
}

/** State of one connection. Whoever owns the socket feeds `receive` and writes what `output` and `send` give. */
export class Connection {
  readonly role: "server" | "client";
  readonly #maxFrameSize: number;
  readonly #slicer = new Slicer();
  #handshake: NoiseHandshake | undefined;
  #encrypt: TransportCipher | undefined;
  #decoder: FrameDecoder | undefined;
  #output: Uint8Array[] = [];
  #fault: unknown;

  /** Without `noise` the connection is plain and established at once. */
  constructor(deps: { readonly noise?: NoiseHandshake | undefined }, options: ConnectionOptions) {
    this.role = options.role;
    this.#maxFrameSize = options.maxFrameSize;
    this.#handshake = deps.noise;
    if (deps.noise === undefined) {
      this.#decoder = new FrameDecoder({}, { maxFrameSize: options.maxFrameSize });
    } else {
      const act = deps.noise.start();
      if (act !== undefined) this.#output.push(act);
    }
  }

  /** Whether frames may be sent. */
  get established(): boolean {
    return this.#decoder !== undefined;
  }

  /** Bytes of an incomplete act or frame that are held; at most the handshake's act or the frame limit with its MACs. */
  get buffered(): number {
    return this.#slicer.buffered + (this.#decoder?.buffered ?? 0);
  }

  /**
   * Takes what the socket received and returns the frames that it completes. Their payloads may be views into `bytes`.
   * After each call `output` may have handshake bytes to write. Throws `Fault` (drop) when the peer breaks the handshake,
   * a MAC or the frame limit; from then on every call throws the same. Whole frames in front of the broken place are
   * returned first, and `check` tells of the fault.
   */
  receive(bytes: Uint8Array): Frame[] {
    if (this.#decoder !== undefined) return this.#decoder.push(bytes);
    this.check();
    try {
      return this.#handshakeBytes(bytes);
    } catch (fault) {
      this.#fault = fault;
      throw fault;
    }
  }

  /** Throws what the peer broke, if it did. To be called when the frames of a `receive` have been dealt with. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
    this.#decoder?.check();
  }

  /** Handshake bytes that wait to be written to the socket; each is given once. */
  output(): Uint8Array | undefined {
    return this.#output.shift();
  }

  /** What to write for a whole plain frame: its ciphertext, or the frame itself when plain. Throws `TypeError` before `established`. */
  send(plainFrame: Uint8Array): Uint8Array {
    if (this.#decoder === undefined) throw new TypeError("a frame cannot be sent before the handshake is complete");
    return this.#encrypt === undefined ? plainFrame : this.#encrypt.encryptFrame(plainFrame);
  }

  #handshakeBytes(bytes: Uint8Array): Frame[] {
    const handshake = this.#handshake as NoiseHandshake;
    this.#slicer.feed(bytes);
    for (;;) {
      const act = this.#slicer.take(handshake.expects);
      if (act === undefined) return [];
      const answer = handshake.read(act);
      if (answer !== undefined) this.#output.push(answer);
      const ciphers = handshake.result();
      if (ciphers !== undefined) {
        this.#handshake = undefined;
        this.#encrypt = ciphers.encrypt;
        this.#decoder = new FrameDecoder({ cipher: ciphers.decrypt }, { maxFrameSize: this.#maxFrameSize });
        return this.#decoder.push(this.#slicer.rest());
      }
    }
  }
}
