/**
 * bitcoind's ZMQ notice of new blocks, `-zmqpubhashblock`: a subscriber for ZMTP 3.0 with the NULL mechanism
 * (rfc.zeromq.org/spec/23), as pure bytes in and out. The `zeromq` package is not used because it ships libzmq (MPL-2.0)
 * as a native binary for what is a greeting, one command and one subscription.
 */
import { concat, fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";

const GREETING_SIZE = 64;
const MORE = 1;
const LONG = 2;
const COMMAND = 4;
/** A notice has three short frames; whatever is larger than this is not one. */
const MAX_FRAME = 65_536;
const MAX_FRAMES = 16;

/** What `receive` found. */
export interface ZmtpProgress {
  /** Whole messages in order, each a list of frames (copies). */
  readonly messages: readonly (readonly Uint8Array[])[];
  /** Bytes to send to the publisher, if any. */
  readonly reply: Uint8Array | undefined;
}

/** One connection's worth of conversation with a publisher. */
export class ZmtpSubscriber {
  readonly #topic: Uint8Array;
  #buffer: Uint8Array = new Uint8Array(0);
  #state: "greeting" | "ready" | "subscribed" = "greeting";
  #frames: Uint8Array[] = [];

  /** `topic`: messages whose first frame begins with it are wanted. */
  constructor(_deps: Record<string, never>, options: { readonly topic: string }) {
    this.#topic = utf8(options.topic);
  }

  /** Whether the publisher took the subscription. */
  get subscribed(): boolean {
    return this.#state === "subscribed";
  }

  /** What to send first: signature, version 3.0, mechanism NULL, client. */
  greeting(): Uint8Array {
    const greeting = new Uint8Array(GREETING_SIZE);
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting.set(utf8("NULL"), 12);
    return greeting;
  }

  /** Takes bytes as they come. Throws `Fault("node-zmq")` when the peer is no publisher that speaks ZMTP 3. */
  receive(bytes: Uint8Array): ZmtpProgress {
    this.#buffer = this.#buffer.length === 0 ? bytes : concat(this.#buffer, bytes);
    const messages: Uint8Array[][] = [];
    const replies: Uint8Array[] = [];
    if (this.#state === "greeting" && this.#takeGreeting()) {
      this.#state = "ready";
      replies.push(command("READY", concat(property("Socket-Type", "SUB"), property("Identity", ""))));
    }
    if (this.#state !== "greeting") {
      for (let frame = this.#takeFrame(); frame !== undefined; frame = this.#takeFrame()) {
        if (frame.flags & COMMAND) this.#command(frame.body, replies);
        else this.#message(frame, messages);
      }
    }
    // What is kept must not hold on to the socket's larger buffer.
    this.#buffer = Uint8Array.from(this.#buffer);
    return { messages, reply: replies.length === 0 ? undefined : concat(...replies) };
  }

  #takeGreeting(): boolean {
    const got = this.#buffer;
    const wrong =
      (got.length > 0 && got[0] !== 0xff) || (got.length > 9 && ((got[9] ?? 0) & 1) === 0) || (got[10] ?? 3) < 3;
    if (wrong) throw refused("what answers there does not speak ZMTP 3");
    if (got.length < GREETING_SIZE) return false;
    const mechanism = fromUtf8(got.subarray(12, 32)).replace(/\0+$/, "");
    if (mechanism !== "NULL") throw refused(`it wants the security mechanism ${JSON.stringify(mechanism)}`);
    this.#buffer = got.subarray(GREETING_SIZE);
    return true;
  }

  #takeFrame(): { readonly flags: number; readonly body: Uint8Array } | undefined {
    const got = this.#buffer;
    const [flags] = got;
    if (flags === undefined) return undefined;
    if (flags & ~(MORE | LONG | COMMAND)) throw refused("a frame has unknown flags");
    const start = flags & LONG ? 9 : 2;
    if (got.length < start) return undefined;
    const view = new DataView(got.buffer, got.byteOffset, got.length);
    const size = flags & LONG ? Number(view.getBigUint64(1)) : view.getUint8(1);
    if (size > MAX_FRAME) throw refused(`a frame has ${size} bytes`);
    if (got.length < start + size) return undefined;
    this.#buffer = got.subarray(start + size);
    return { flags, body: Uint8Array.from(got.subarray(start, start + size)) };
  }

  #command(body: Uint8Array, replies: Uint8Array[]): void {
    const nameSize = body[0] ?? 0;
    const name = fromUtf8(body.subarray(1, 1 + nameSize));
    const rest = body.subarray(1 + nameSize);
    if (name === "ERROR") throw refused(`it says ${JSON.stringify(fromUtf8(rest.subarray(1, 101)))}`);
    // ZMTP 3.1 heartbeat: two bytes of time to live, then a context to give back.
    if (name === "PING") replies.push(command("PONG", rest.subarray(2)));
    if (name !== "READY" || this.#state !== "ready") return;
    const type = /Socket-Type\0\0\0.([A-Z]+)/s.exec(fromUtf8(rest))?.[1];
    if (type !== "PUB" && type !== "XPUB") throw refused(`its socket type is ${type ?? "not told"}, not PUB`);
    this.#state = "subscribed";
    replies.push(frameOf(0, concat(Uint8Array.of(1), this.#topic)));
  }

  #message(frame: { readonly flags: number; readonly body: Uint8Array }, messages: Uint8Array[][]): void {
    if (this.#state !== "subscribed") throw refused("a message came before the handshake was over");
    this.#frames.push(frame.body);
    if (this.#frames.length > MAX_FRAMES) throw refused("a message has too many frames");
    if (frame.flags & MORE) return;
    messages.push(this.#frames);
    this.#frames = [];
  }
}

/** What bitcoind publishes under `hashblock`. */
export interface HashBlockNotice {
  /** Block hash as display-order hex. */
  readonly hash: string;
  /** Counts this publisher's messages, u32; a gap means that some were dropped. */
  readonly sequence: number;
}

/** Reads a message of three frames: topic, 32 bytes of hash in display order, u32 little-endian; `undefined` for others. */
export function hashBlockNotice(frames: readonly Uint8Array[]): HashBlockNotice | undefined {
  const [topic, hash, sequence] = frames;
  if (topic === undefined || fromUtf8(topic) !== "hashblock" || hash?.length !== 32 || sequence?.length !== 4) {
    return undefined;
  }
  const view = new DataView(sequence.buffer, sequence.byteOffset, 4);
  return { hash: Buffer.from(hash).toString("hex"), sequence: view.getUint32(0, true) };
}

/** Host and port of `tcp://host:port`, IPv6 in brackets. Throws `Fault("node-zmq")`. */
export function zmqEndpoint(address: string): { readonly host: string; readonly port: number } {
  const match = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw refused("the address is not of the form tcp://host:port", address);
  }
  return { host, port };
}

function command(name: string, data: Uint8Array): Uint8Array {
  return frameOf(COMMAND, concat(Uint8Array.of(name.length), utf8(name), data));
}

/** A short frame; nothing that is sent here reaches 256 bytes but a PONG, whose context is at most 16. */
function frameOf(flags: number, body: Uint8Array): Uint8Array {
  const short = body.subarray(0, 255);
  return concat(Uint8Array.of(flags, short.length), short);
}

function property(name: string, value: string): Uint8Array {
  return concat(Uint8Array.of(name.length), utf8(name), Uint8Array.of(0, 0, 0, value.length), utf8(value));
}

function refused(reason: string, address?: string): Fault {
  return new Fault("node-zmq", address === undefined ? { reason } : { reason, address });
}
