/**
 * The bllvm node as its module's IPC shows it: one connection that is kept, and everything that is asked, told and answered over it.
 * Here its parts are joined: the link keeps the connection, a session speaks on it, the calls wait for their answers, suspicion
 * and dialect learn from what the node closes the connection at. Source: blvm-node `src/module/ipc/server.rs`.
 */
import type { Files } from "../../../daemon/files.ts";
import type { ConnectUnix } from "../../../daemon/socket.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { Bus, type Unsubscribe } from "../../../kernel/events.ts";
import type { Part } from "../../../kernel/lifecycle.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Meter } from "../../../kernel/meter.ts";
import type { Random } from "../../../kernel/random.ts";
import type { BllvmCallOptions, BllvmEvents, BllvmNode, BllvmPublishedEvent, BllvmState } from "../bllvm-node.ts";
import { maxPayload } from "../wire/frames.ts";
import { type AnswerTo, REQUESTS, type RequestValue } from "../wire/requests.ts";
import type { Schema } from "../wire/schema.ts";
import type { CallOptions } from "./call.ts";
import { Calls } from "./calls.ts";
import type { Connection, EndReason } from "./connection.ts";
import { Dedupe } from "./dedupe.ts";
import { Dialect } from "./dialect.ts";
import type { NodeEvent } from "./events.ts";
import { Invocations } from "./invocations.ts";
import { Link } from "./link.ts";
import { type LogLevel, LogLines } from "./log-lines.ts";
import type { Operation } from "./operations.ts";
import { Pace, REQUEST_PACE } from "./pacing.ts";
import { type Ask, Requests, type ServedApi } from "./requests.ts";
import { Said } from "./said.ts";
import { Session } from "./session.ts";
import { Suspicion } from "./suspicion.ts";
import type { Tip } from "./tip.ts";
import { TipReader } from "./tip-reader.ts";

/** Ms for an answer where the asker says nothing. */
const TIMEOUT_MS = 10_000;
/** Ms between two looks at the tip. */
const TIP_POLL_MS = 10_000;

/** What the client needs. */
export interface BllvmClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** `connectUnix` in production. */
  readonly connect: ConnectUnix;
  /** For the hold file. */
  readonly files: Pick<Files, "read">;
}

/** Which node, and as whom. */
export interface BllvmClientOptions {
  /** Name in logs. */
  readonly name?: string;
  /** The node's socket. */
  readonly path: string;
  /** Name in the module's manifest, under which the node registered its capabilities. */
  readonly moduleName: string;
  readonly moduleVersion: string;
  /** `legacy`: the node started us with `--module-id` and `--socket-path`, as N0 to N2 do. */
  readonly family: "legacy" | "socket";
  /** `bllvm.wire` of the configuration. */
  readonly wire: Schema | "auto";
  /** File that keeps us away while it exists: `ipc.hold` in DATA_DIR of a registered attach. */
  readonly holdFile?: string | undefined;
  /** Ms before the first connection; at least 1,500 for a child of the node, which connects to itself first. */
  readonly firstConnectDelayMs?: number | undefined;
  /** Ms between two looks at the tip. */
  readonly tipPollMs?: number | undefined;
}

/** The node. */
export class BllvmClient implements BllvmNode, Part {
  readonly name: string;
  readonly address: string;
  readonly #deps: BllvmClientDeps;
  readonly #options: BllvmClientOptions;
  readonly #bus: Bus<BllvmEvents>;
  readonly #states: Bus<{ state: BllvmState }>;
  readonly #said: Said;
  readonly #dialect: Dialect;
  readonly #suspicion: Suspicion;
  readonly #pace: Pace;
  readonly #calls: Calls;
  readonly #lines: LogLines;
  readonly #invocations: Invocations;
  readonly #dedupe: Dedupe;
  readonly #requests: Requests;
  readonly #tip: TipReader;
  readonly #link: Link;
  #session: Session | undefined;
  /** The session in which we registered what we serve. */
  #registered: Session | undefined;
  #api: ServedApi | undefined;
  /** The node was away, or a stand-in registered our capabilities: what it refused before it may take now. */
  #isAnew = false;

  constructor(deps: BllvmClientDeps, options: BllvmClientOptions) {
    const { clock, log, meter } = deps;
    this.#deps = deps;
    this.#options = options;
    this.name = options.name ?? "bllvm";
    this.address = options.path;
    const onError = (error: unknown, name: string): void =>
      log.error(`a listener of the bllvm node's ${name} failed`, { error });
    this.#bus = new Bus({ onError });
    this.#states = new Bus({ onError });
    this.#said = new Said(deps);
    this.#dialect = new Dialect({}, options);
    this.#suspicion = new Suspicion(
      { clock, log, onUnusable: () => this.#states.emit("state", this.state()) },
      { attempts: (operation) => this.#dialect.spelling.of(operation).length },
    );
    this.#pace = new Pace(deps, REQUEST_PACE);
    this.#calls = new Calls({ clock, meter, pace: this.#pace, suspicion: this.#suspicion });
    this.#lines = new LogLines(deps);
    this.#invocations = new Invocations(deps);
    this.#dedupe = new Dedupe(deps);
    this.#requests = new Requests({ ask: this.#ask });
    this.#tip = new TipReader(
      {
        clock,
        requests: this.#requests,
        served: () => (this.#link.phase === "up" ? this.#session : undefined),
        onTip: (tip) => this.#emit("ChainTipUpdated", tip),
        // What is not needed comes behind the tip, as it may cost the connection.
        onLooked: () => this.#register(),
      },
      { everyMs: options.tipPollMs ?? TIP_POLL_MS },
    );
    const { path, moduleName, moduleVersion, family, holdFile, firstConnectDelayMs } = options;
    this.#link = new Link(
      deps,
      {
        path,
        moduleName,
        moduleVersion,
        maxPayload: maxPayload(family === "legacy" ? "n2" : "s3"),
        holdFile,
        firstConnectDelayMs,
      },
      {
        handshakeId: () => {
          this.#pace.spend();
          return this.#calls.id();
        },
        onPhase: () => this.#onPhase(),
        onOpen: () => this.#onOpen(),
        onServed: (connection, nodeVersion) => this.#onServed(connection, nodeVersion),
        onPayload: (payload) => this.#session?.onPayload(payload),
        onEnd: (reason) => this.#onEnd(reason),
      },
    );
  }

  /** Begins to connect; does not wait for the node. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#deps.meter.gauge("bllvm_up", 0);
    this.#link.start();
  }

  async stop(): Promise<void> {
    await this.#link.stop();
    await this.#tip.stop();
  }

  state(): BllvmState {
    const { phase, sinceMs, trouble } = this.#link;
    const { nodeVersion } = this.#dialect;
    const schema = nodeVersion === undefined ? undefined : this.#dialect.schema;
    const unusable = nodeVersion === undefined ? [] : this.#suspicion.unusable();
    return { phase, sinceMs, nodeVersion, schema, trouble, unusable, isKnown: this.#suspicion.isKnown };
  }

  onState(listener: (state: BllvmState) => void): Unsubscribe {
    return this.#states.on("state", listener);
  }

  on<N extends keyof BllvmEvents>(name: N, listener: (event: BllvmEvents[N]) => void): Unsubscribe {
    return this.#bus.on(name, listener);
  }

  /** The newest tip that is known, without asking. */
  get tip(): Tip | undefined {
    return this.#tip.tip;
  }

  chainInfo(options?: BllvmCallOptions) {
    return this.#requests.chainInfo(options);
  }

  syncStatus(options?: BllvmCallOptions) {
    return this.#requests.syncStatus(options);
  }

  blockHeader(hash: Uint8Array, options?: BllvmCallOptions) {
    return this.#requests.blockHeader(hash, options);
  }

  block(hash: Uint8Array, options?: BllvmCallOptions) {
    return this.#requests.block(hash, options);
  }

  blockByHeight(height: number, options?: BllvmCallOptions) {
    return this.#requests.blockByHeight(height, options);
  }

  peerCount(options?: BllvmCallOptions) {
    return this.#requests.peerCount(options);
  }

  queueReceivedBlock(block: Uint8Array, options?: BllvmCallOptions) {
    return this.#requests.queueReceivedBlock(block, options);
  }

  publish(event: BllvmPublishedEvent, options?: BllvmCallOptions) {
    return this.#requests.publish(event, options);
  }

  log(level: LogLevel, message: string, target: string): void {
    this.#lines.write(level, message, target);
  }

  serve(api: ServedApi): void {
    this.#api = api;
    this.#invocations.handler = (invocation) => api.handler(invocation);
    this.#registered = undefined;
    this.#register();
  }

  readonly #ask: Ask = Object.assign(
    async <N extends Operation>(name: N, value: RequestValue<N>, options: BllvmCallOptions = {}) => {
      const payload = await this.#calls.call({
        request: { name, value } as CallOptions["request"],
        answer: REQUESTS[name].response,
        timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
        signal: options.signal,
      });
      return payload.value as AnswerTo<N>;
    },
    { has: (name: Operation) => this.#dialect.spelling.of(name).length > 0 },
  );

  /** The socket opened: the node is there, so what it closed the last connection at is to blame. */
  #onOpen(): void {
    this.#suspicion.convict();
    this.#dialect.convict();
  }

  #onServed(connection: Connection, nodeVersion: string): void {
    if (this.#dialect.served(nodeVersion) || this.#isAnew) this.#suspicion.forget();
    this.#isAnew = false;
    const { schema, spelling } = this.#dialect;
    this.#session = new Session(
      {
        clock: this.#deps.clock,
        meter: this.#deps.meter,
        calls: this.#calls,
        pace: this.#pace,
        suspicion: this.#suspicion,
        lines: this.#lines,
        invocations: this.#invocations,
      },
      { connection, schema, spelling, moduleName: this.#options.moduleName },
      { onReady: () => this.#onReady(), onEvent: (event) => this.#onEvent(event) },
    );
    this.#session.subscribe();
  }

  #onReady(): void {
    this.#link.up();
    const { nodeVersion, schema } = this.#dialect;
    this.#said.say("info", `the bllvm node ${nodeVersion ?? ""} serves this module (wire ${schema})`);
    this.#tip.look();
  }

  /** Registers what we serve, once in a session. */
  #register(): void {
    const session = this.#session;
    if (this.#api === undefined || this.#link.phase !== "up" || this.#registered === session) return;
    this.#registered = session;
    this.#requests.register(this.#api).catch(() => {
      // Suspicion tells what it means; the next session registers again.
    });
  }

  #onEvent(told: NodeEvent): void {
    if (told.name === "NodeShutdown") {
      // Nothing may be written to a node that stops, so before anybody hears of it, and at each new connection.
      this.#session?.mute();
      this.#link.closing(told.event.timeoutS);
    }
    if (!this.#dedupe.isNew(told.name, told.event)) {
      this.#deps.meter.count("bllvm_ignored_total", 1, { kind: "repeated" });
      return;
    }
    this.#emit(told.name, told.event);
    this.#tip.onEvent(told);
  }

  #emit<N extends keyof BllvmEvents>(name: N, event: BllvmEvents[N]): void {
    this.#deps.meter.count("bllvm_events_total", 1, { event: name });
    this.#bus.emit(name, event);
  }

  #onEnd(reason: EndReason): void {
    if (reason === "refused") {
      this.#suspicion.acquit();
      this.#dialect.acquit();
      this.#isAnew = true;
      return;
    }
    this.#deps.meter.count("bllvm_connections_total", 1, { why: reason });
    const session = this.#session;
    this.#session = undefined;
    if (reason === "node" && session?.isSubscribing) this.#dialect.subscriptionClosed();
    session?.end(reason === "node");
  }

  #onPhase(): void {
    const state = this.state();
    if (state.phase === "held") this.#isAnew = true;
    this.#deps.meter.gauge("bllvm_up", state.phase === "up" ? 1 : 0);
    // Keeping away is as it should be.
    const level = state.phase === "held" ? "info" : "warn";
    if (state.trouble !== undefined && state.phase !== "connecting") this.#said.say(level, state.trouble);
    this.#states.emit("state", state);
  }
}
