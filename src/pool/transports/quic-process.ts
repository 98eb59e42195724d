/**
 * QUIC in a process of its own. A QUIC library parses whatever anybody sends to a port, and the one that we use carries a quiche of 2023, for which
 * advisories have been published since: a peer may make it loop or grow for ever (docs/transports.md). Here the worst that comes of it is
 * that this process is ended and started anew: QUIC's miners connect again, those on TCP and TLS notice nothing, and no block waits.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe, Fault, type FaultCode, type FaultData } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { QuicCertificate } from "../../quic/config.ts";
import type { Stream, Transport } from "../transport.ts";
import type { CertificateSource } from "./certificate.ts";
import type { QuicOptions } from "./quic.ts";
import { RelayedStream } from "./quic-relayed.ts";
import {
  encodeJson,
  encodeMessage,
  FROM_PROCESS,
  type PipeMessage,
  PipeReader,
  payloadText,
  TO_PROCESS,
} from "./quic-wire.ts";
import { StreamListeners } from "./stream-listeners.ts";
import { hostPort } from "./tcp-listener.ts";

/** What the transport works with. */
export interface QuicProcessDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly certificates: CertificateSource;
}

/** Options of `QuicProcess`. */
export interface QuicProcessOptions extends QuicOptions {
  /** The compiled program of the process, `app/quic-process.ts`. */
  readonly script: URL;
  /** A process that has not answered for so long hangs, ms. Default 10,000. */
  readonly answerMs?: number;
  /** Memory with which the process is ended, bytes. Default 2 GiB. */
  readonly maxBytes?: number;
}

/** How often the process is asked whether it lives, ms. */
const PING_EVERY_MS = 1_000;
/** Last characters of what the process says before it dies. */
const MAX_LAST_WORDS = 2000;
/** First wait before a process is started anew, and the longest, ms. */
const RESTART_MS = { first: 250, longest: 30_000 };
/** A process that ran for so long is forgiven, ms. */
const FORGIVEN_MS = 60_000;
/** From the request to stop to the end of the process, ms. */
const STOP_MS = 2_000;

/** One run of the process. */
interface Run {
  readonly child: ChildProcess;
  readonly pipe: Duplex;
  readonly streams: Map<number, RelayedStream>;
  readonly sinceMs: number;
  heardMs: number;
  /** Why we ended it. */
  why: string | undefined;
}

/** The listener, whatever becomes of its process. */
export class QuicProcess implements Transport {
  readonly name: string;
  readonly kind = "quic";
  readonly noise: boolean;
  readonly #deps: QuicProcessDeps;
  readonly #options: QuicProcessOptions;
  readonly #listeners = new StreamListeners();
  #run: Run | undefined;
  #address: string | undefined;
  #forgetCertificates: Unsubscribe | undefined;
  #pinger: Timer | undefined;
  #restart: Timer | undefined;
  #restartMs = RESTART_MS.first;
  #connections = 0;
  #state: "new" | "serving" | "refusing" | "stopped" = "new";

  constructor(deps: QuicProcessDeps, options: QuicProcessOptions) {
    this.#deps = deps;
    this.#options = options;
    this.noise = options.noise ?? true;
    this.name = `quic ${hostPort(options.host, options.port)}`;
  }

  get address(): string | undefined {
    return this.#address;
  }

  /** QUIC connections, as told within the last second. */
  get connections(): number {
    return this.#connections;
  }

  /** The process, for tests that end it. */
  get pid(): number | undefined {
    return this.#run?.child.pid;
  }

  onStream(listener: (stream: Stream) => void): Unsubscribe {
    return this.#listeners.onStream(listener);
  }

  onTrouble(listener: (error: Error) => void): Unsubscribe {
    return this.#listeners.onTrouble(listener);
  }

  /** Starts the process and waits until it listens. Throws the faults of `QuicTransport.start`. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#launch();
    this.#state = "serving";
    this.#forgetCertificates = this.#deps.certificates.onChange(() =>
      this.#send(encodeJson(TO_PROCESS.certificate, 0, this.#certificate())),
    );
    this.#pinger = this.#deps.clock.every(PING_EVERY_MS, () => this.#ping());
  }

  refuse(): void {
    if (this.#state === "serving") this.#state = "refusing";
    this.#send(encodeMessage(TO_PROCESS.refuse));
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#forgetCertificates?.();
    this.#pinger?.cancel();
    this.#restart?.cancel();
    const run = this.#run;
    if (run === undefined) return;
    const deadline = this.#deps.clock.after(STOP_MS, () => run.child.kill("SIGKILL"));
    const ended = new Promise<void>((resolve) => void run.child.once("close", () => resolve()));
    this.#send(encodeMessage(TO_PROCESS.stop));
    await ended;
    deadline.cancel();
    this.#address = undefined;
  }

  /** Starts a process; resolves once it listens. */
  #launch(): Promise<void> {
    const { clock } = this.#deps;
    const { script, answerMs: _answerMs, maxBytes: _maxBytes, ...options } = this.#options;
    return new Promise((resolve, reject) => {
      const child = fork(fileURLToPath(script), {
        execArgv: [],
        // One of them is for Node's own messages, which `fork` insists on; nothing is said there.
        stdio: ["ignore", "ignore", "pipe", "pipe", "ipc"],
      });
      let lastWords = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        lastWords = (lastWords + text).slice(-MAX_LAST_WORDS);
      });
      const nowMs = clock.monotonicMs();
      const pipe = child.stdio[3] as Duplex;
      const run: Run = { child, pipe, streams: new Map(), sinceMs: nowMs, heardMs: nowMs, why: undefined };
      const reader = new PipeReader();
      const onMessage = (message: PipeMessage): void => {
        if (message.type === FROM_PROCESS.ready) {
          this.#address = (JSON.parse(payloadText(message.payload)) as { address: string }).address;
          resolve();
        } else if (message.type === FROM_PROCESS.failed) {
          reject(faultOf(message.payload));
          child.kill("SIGKILL");
        } else this.#on(run, message);
      };
      pipe.on("data", (bytes: Uint8Array) => {
        run.heardMs = clock.monotonicMs();
        try {
          for (const message of reader.push(bytes)) onMessage(message);
        } catch (error) {
          // Whatever it says, and whoever made it say so: it is one process that can be started anew.
          this.#kill(run, `it sent what is no message: ${describe(error)}`);
        }
      });
      // What cannot be written any more was for streams that are closed in a moment.
      pipe.on("error", () => undefined);
      child.on("error", (cause) => reject(new Fault("quic-missing", { reason: cause.message }, { cause })));
      child.on("close", (code, signal) => {
        const how = `it ended with ${signal ?? `code ${code}`}`;
        if (lastWords !== "") this.#deps.log.warn(`the last words of the QUIC process: ${lastWords.trim()}`);
        reject(new Fault("quic-missing", { reason: how }));
        this.#ended(run, run.why ?? how);
      });
      this.#run = run;
      // The same port again, where the system chose it.
      const port = options.port === 0 && this.#address !== undefined ? portOf(this.#address) : options.port;
      this.#send(encodeJson(TO_PROCESS.start, 0, { options: { ...options, port }, certificate: this.#certificate() }));
    });
  }

  #on(run: Run, { type, stream: id, payload }: PipeMessage): void {
    const stream = run.streams.get(id);
    switch (type) {
      case FROM_PROCESS.opened:
        this.#open(run, id, JSON.parse(payloadText(payload)) as { host: string; port: number });
        break;
      case FROM_PROCESS.data:
        stream?.received(payload);
        break;
      case FROM_PROCESS.taken:
        stream?.taken(new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0, true));
        break;
      case FROM_PROCESS.ended:
        stream?.peerEnded();
        break;
      case FROM_PROCESS.closed:
        run.streams.delete(id);
        stream?.closed(payload.length === 0 ? undefined : new Error(payloadText(payload)));
        break;
      case FROM_PROCESS.alive:
        this.#alive(run, JSON.parse(payloadText(payload)) as { rss: number; connections: number });
        break;
      case FROM_PROCESS.trouble:
        this.#listeners.trouble(new Error(payloadText(payload)));
        break;
      case FROM_PROCESS.certified:
        if (payload.length > 0)
          this.#deps.log.warn(`QUIC goes on with the former certificate: ${payloadText(payload)}`);
        break;
      default:
        this.#kill(run, `it sent a message of type ${type}`);
    }
  }

  #open(run: Run, id: number, peer: { readonly host: string; readonly port: number }): void {
    const send = (type: number, payload?: Uint8Array): void => {
      if (run === this.#run) run.pipe.write(encodeMessage(type, id, payload));
    };
    const stream = new RelayedStream({ send }, peer);
    run.streams.set(id, stream);
    if (this.#state !== "refusing") this.#listeners.stream(stream);
    if (!stream.attached) stream.destroy();
  }

  #ping(): void {
    const run = this.#run;
    if (run === undefined) return;
    const { answerMs = 10_000 } = this.#options;
    if (this.#deps.clock.monotonicMs() - run.heardMs > answerMs)
      this.#kill(run, `it has not answered for ${answerMs / 1000} s`);
    else this.#send(encodeMessage(TO_PROCESS.ping));
  }

  #alive(run: Run, { rss, connections }: { readonly rss: number; readonly connections: number }): void {
    this.#connections = connections;
    const { maxBytes = 2 ** 31 } = this.#options;
    if (rss > maxBytes) this.#kill(run, `it has grown to ${Math.round(rss / 2 ** 20)} MiB`);
  }

  #kill(run: Run, why: string): void {
    run.why ??= why;
    run.child.kill("SIGKILL");
  }

  /** The process is gone: so are its streams, and another one takes its place. */
  #ended(run: Run, why: string): void {
    if (run !== this.#run) return;
    this.#run = undefined;
    this.#connections = 0;
    for (const stream of run.streams.values()) {
      stream.closed(this.#state === "stopped" ? undefined : new Error(`the QUIC process is gone: ${why}`));
    }
    run.streams.clear();
    if (this.#state !== "serving") return;
    if (this.#deps.clock.monotonicMs() - run.sinceMs > FORGIVEN_MS) this.#restartMs = RESTART_MS.first;
    this.#deps.log.error(
      `the QUIC process is gone: ${why}. It is started anew; miners on QUIC connect again, all others go on`,
    );
    this.#startAnew();
  }

  #startAnew(): void {
    const waitMs = this.#restartMs;
    this.#restartMs = Math.min(2 * waitMs, RESTART_MS.longest);
    this.#restart = this.#deps.clock.after(waitMs, () => {
      this.#launch().then(
        () => this.#deps.log.info("QUIC is served again"),
        // Its end is told of by `#ended`, which tries again.
        () => undefined,
      );
    });
  }

  #certificate(): QuicCertificate {
    const { chain, key, clientCa } = this.#deps.certificates.current();
    return { chain, key, clientCa };
  }

  #send(message: Uint8Array): void {
    this.#run?.pipe.write(message);
  }
}

function faultOf(payload: Uint8Array): Fault {
  const { code, data } = JSON.parse(payloadText(payload)) as { code?: FaultCode; data: FaultData };
  return new Fault(code ?? "quic-missing", data);
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
