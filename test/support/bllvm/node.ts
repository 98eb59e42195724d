/**
 * A fake bllvm node: module IPC with the real node's defects, a regtest chain that judges blocks, and (rpc) its JSON-RPC. All
 * that a test wants to know is recorded, all that it wants to go wrong is a switch or a verb.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Of } from "./bincode.ts";
import { FakeChain, type FakeChainOptions } from "./chain.ts";
import { EventHub } from "./event-hub.ts";
import type { ConnectionHost, InvocationAnswer, IpcConnection } from "./ipc-connection.ts";
import { IpcServer } from "./ipc-server.ts";
import { FakeJsonRpc, type FakeRpcOptions } from "./json-rpc.ts";
import type { cliSpec, moduleInfo } from "./layouts.ts";
import {
  type AnyEvent,
  type AnyInvocation,
  type AnyRequest,
  type AnyResponse,
  frameOf,
  type LogMessage,
  type RequestValue,
  type Wire,
  wireOf,
} from "./messages.ts";
import { Permissions } from "./permissions.ts";
import { RateLimits } from "./rate-limit.ts";
import { answerRequest, healthySwitches, type NodeSwitches, type RegisteredApi, RequestError } from "./requests.ts";
import type { FakeSchema } from "./schemas.ts";

/** What can be chosen; everything has a default. */
export interface FakeBllvmNodeOptions {
  /** Where the node lives; a temporary folder, removed by `stop`. Keep it short: a socket's path has 107 bytes. */
  readonly dataDir?: string;
  /** `<dataDir>/data/modules/sockets/node.sock`; before S1 `<dataDir>/data/modules/socket`. */
  readonly socketPath?: string;
  /** Version of the protocol; `s3`. */
  readonly schema?: FakeSchema;
  /** What HandshakeAck says; a version that goes with the schema. */
  readonly nodeVersion?: string;
  /** The patched node, which serves connections side by side; false. */
  readonly concurrent?: boolean;
  /** Whether answers are lost that wait to be written when a request fails; true. */
  readonly losesQueuedResponses?: boolean;
  /** Ms after a connection's end at which its id is unsubscribed once more; 20, and `false` for never. */
  readonly lateUnsubscribeMs?: number | false;
  /** Whether more than 100 requests a second cost the connection; true. */
  readonly rateLimits?: boolean;
  /** Ms that a queued block waits for the run loop; 5. */
  readonly queueMs?: number;
  /** Permissions registered under names from the start. */
  readonly permissions?: Readonly<Record<string, readonly string[]>>;
  /** The JSON-RPC beside it; `false` for none. Nobody is asked for a login by default. */
  readonly rpc?: FakeRpcOptions | false;
  /** The chain. */
  readonly chain?: FakeChainOptions;
  /** Wall clock of rate limits and templates; the system's. */
  readonly nowMs?: () => number;
}

const VERSIONS: Readonly<Record<FakeSchema, string>> = {
  n0: "0.1.0",
  n1: "0.1.0",
  n2: "0.1.0",
  s1: "0.1.0",
  s2: "0.1.8",
  s3: "0.1.54",
};

/** The node. `FakeBllvmNode.start()` gives a running one. */
export class FakeBllvmNode {
  readonly dataDir: string;
  readonly socketPath: string;
  readonly wire: Wire;
  readonly chain: FakeChain;
  readonly events = new EventHub();
  readonly permissions = new Permissions();
  /** What the node cannot do now. */
  readonly switches: NodeSwitches = healthySwitches();
  /** Requests in the order they were read, with the id of who sent them. */
  readonly requests: { readonly moduleId: string; readonly request: AnyRequest }[] = [];
  /** Events published by modules. */
  readonly published: { readonly moduleId: string; readonly event: AnyEvent }[] = [];
  /** Lines that modules logged. */
  readonly logs: LogMessage[] = [];
  /** Module interfaces by handshake id. */
  readonly apis = new Map<string, RegisteredApi>();
  /** Command line specifications by handshake id. */
  readonly cliSpecs = new Map<string, Of<typeof cliSpec>>();
  /** Modules that DiscoverModules lists; a spawner fills it. */
  readonly modules: Of<typeof moduleInfo>[] = [];
  /** The JSON-RPC: its calls, its disturbances. `undefined` when there is none. */
  readonly rpc: FakeJsonRpc | undefined;
  readonly #options: FakeBllvmNodeOptions;
  readonly #ownsDataDir: boolean;
  readonly #limits: RateLimits;
  readonly #byId = new Map<string, IpcConnection>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #past: IpcConnection[] = [];
  #server: IpcServer;
  #hang: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  #fallbacks = 0;
  #invocations = 0n;

  constructor(options: FakeBllvmNodeOptions = {}) {
    this.#options = options;
    this.#ownsDataDir = options.dataDir === undefined;
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "bllvm-"));
    this.wire = wireOf(options.schema ?? "s3");
    const place = this.wire.schema.startsWith("n") ? "data/modules/socket" : "data/modules/sockets/node.sock";
    this.socketPath = options.socketPath ?? join(this.dataDir, place);
    this.chain = new FakeChain({ emit: (event) => this.events.publish(event) }, options.chain);
    this.#limits = new RateLimits({ nowMs: options.nowMs ?? Date.now });
    this.#registerPermissions();
    this.#server = this.#newServer();
    this.rpc = options.rpc === false ? undefined : this.#newRpc(options.rpc ?? {});
  }

  /** A running node. */
  static async start(options: FakeBllvmNodeOptions = {}): Promise<FakeBllvmNode> {
    const node = new FakeBllvmNode(options);
    await node.listen();
    return node;
  }

  /** Where the JSON-RPC listens. Throws without one. */
  get rpcUrl(): string {
    if (this.rpc === undefined) throw new Error("this node has no JSON-RPC");
    return this.rpc.url;
  }

  /** What HandshakeAck says. */
  get nodeVersion(): string {
    return this.#options.nodeVersion ?? VERSIONS[this.wire.schema];
  }

  /** Connections served so far, before and after restarts. */
  get connections(): readonly IpcConnection[] {
    return [...this.#past, ...this.#server.connections];
  }

  /** Connections that are served now. */
  get served(): readonly IpcConnection[] {
    return this.#server.connections.filter(({ closed }) => !closed);
  }

  /** Connections that wait, unanswered, for their turn. */
  get waiting(): number {
    return this.#server.waiting;
  }

  /** Why the IPC server ended by itself; `undefined` while it has not. */
  get serverFailure(): string | undefined {
    return this.#server.failure;
  }

  /** Begins to listen; after `kill` on the same path with the same chain, records and `options.permissions`. */
  async listen(): Promise<void> {
    if (this.#server.listening) throw new Error("the node runs already");
    this.#past.push(...this.#server.connections);
    this.#server = this.#newServer();
    this.resume();
    mkdirSync(this.dataDir, { recursive: true });
    await this.#server.listen();
    await this.rpc?.start();
  }

  /** Everything is closed at once, as by SIGKILL; the socket's file stays. What modules registered is gone. */
  async kill(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all([this.#server.die(), this.rpc?.stop()]);
    for (const id of [...this.#byId.keys()]) this.events.unsubscribe(id);
    this.#byId.clear();
    this.apis.clear();
    this.cliSpecs.clear();
    this.modules.length = 0;
    this.permissions.clear();
    this.#registerPermissions();
  }

  /** `kill` and `listen`. */
  async restart(): Promise<void> {
    await this.kill();
    await this.listen();
  }

  /** Ends the node and removes its temporary folder. With `announce` modules are told before, as a real node does. */
  async stop(options: { readonly announce?: boolean } = {}): Promise<void> {
    if (options.announce === true) await this.announceShutdown();
    await this.kill();
    if (this.#ownsDataDir) rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** NodeShutdown, 100 ms, DataMaintenance, 100 ms: what comes before the modules are killed. */
  async announceShutdown(): Promise<void> {
    this.emit({ name: "NodeShutdown", value: { reason: "graceful", timeoutSeconds: 30n } });
    await this.#sleep(100);
    const flush = { operation: "flush", urgency: "high", reason: "shutdown", targetAgeDays: null, timeoutSeconds: 5n };
    this.emit({ name: "DataMaintenance", value: flush });
    await this.#sleep(100);
  }

  /** Publishes any event. */
  emit(event: AnyEvent): void {
    this.events.publish(event);
  }

  /** `count` blocks come from the network; hashes in internal byte order. */
  mine(count = 1): Uint8Array[] {
    return this.chain.mine(count);
  }

  /** Replaces the last `depth` blocks by one more; the new tip. */
  reorg(depth = 1): Uint8Array {
    return this.chain.reorg(depth);
  }

  /** Asks the module with this handshake id and gives its answer. Rejects when it is away or hangs up. */
  async invoke(moduleId: string, invocation: AnyInvocation): Promise<InvocationAnswer> {
    const connection = this.#byId.get(moduleId);
    if (connection === undefined) throw new RequestError(`Module '${moduleId}' is not connected`);
    return connection.invoke(++this.#invocations, invocation);
  }

  /** Stops reading and answering without closing anything; new connections are accepted and left alone. */
  hang(): void {
    const { promise, resolve } = withResolvers();
    this.#hang ??= { over: promise, end: resolve };
  }

  /** Ends `hang`: what was sent meanwhile is read and answered now. */
  resume(): void {
    this.#hang?.end();
    this.#hang = undefined;
  }

  /** Closes every connection now; the server goes on. */
  closeConnections(): void {
    for (const connection of this.served) connection.close("closed on demand");
  }

  /** Whether connections are closed as soon as they come. */
  refuse(refusing = true): void {
    this.#server.refusing = refusing;
  }

  /** Sends a well-formed frame that no message is in. */
  sendGarbage(payload: Uint8Array = Uint8Array.of(9, 9, 9, 9, 9)): void {
    for (const connection of this.served) connection.sendRaw(frameOf(payload));
  }

  /** Sends the head of a frame that claims `size` bytes. */
  sendOversized(size = 0x7fff_ffff): void {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, size);
    for (const connection of this.served) connection.sendRaw(head);
  }

  /** Loses the next `count` events. */
  dropNextEvents(count: number): void {
    this.events.dropNext(count);
  }

  /** The requests called `name`, of all modules or of one. */
  requestsOf<N extends AnyRequest["name"]>(name: N, moduleId?: string): RequestValue<N>[] {
    return this.requests
      .filter((each) => each.request.name === name && (moduleId === undefined || each.moduleId === moduleId))
      .map(({ request }) => request.value as RequestValue<N>);
  }

  /** Puts a block into the run loop's queue, as QueueReceivedBlock and submitblock do. */
  queueBlock(bytes: Uint8Array): void {
    this.#later(this.#options.queueMs ?? 5, () => void this.chain.receive(bytes));
  }

  #registerPermissions(): void {
    for (const [name, set] of Object.entries(this.#options.permissions ?? {})) this.permissions.register(name, set);
  }

  #newServer(): IpcServer {
    const { concurrent = false } = this.#options;
    return new IpcServer({ host: this.#host() }, { socketPath: this.socketPath, concurrent });
  }

  #newRpc(options: FakeRpcOptions): FakeJsonRpc {
    const world = {
      chain: this.chain,
      emit: (event: AnyEvent) => this.emit(event),
      queueBlock: (bytes: Uint8Array) => this.queueBlock(bytes),
      peers: () => this.switches.peers,
      hasTip: () => this.switches.hasTip,
      nowMs: this.#options.nowMs ?? Date.now,
      nodeVersion: this.nodeVersion,
      countsGenesis: options.countsGenesis ?? true,
    };
    return new FakeJsonRpc({ world }, options);
  }

  #host(): ConnectionHost {
    return {
      wire: this.wire,
      nodeVersion: this.nodeVersion,
      losesQueuedResponses: this.#options.losesQueuedResponses ?? true,
      hang: () => this.#hang?.over,
      fallbackId: () => `module_${this.#fallbacks++}_${Date.now()}000000`,
      onGreeted: (connection) => {
        this.#byId.set(connection.moduleId, connection);
        // The node makes a folder for what stands before the first `_`, below its own working directory.
        const [name = ""] = connection.moduleId.split("_");
        if (/^[\w.-]+$/.test(name)) mkdirSync(join(this.dataDir, "data/modules", name), { recursive: true });
      },
      onRequest: ({ moduleId }, request) => {
        const id = request.name === "Handshake" ? request.value.moduleId : moduleId;
        this.requests.push({ moduleId: id, request });
      },
      onLog: (_, log) => void this.logs.push(log),
      onSubscribe: ({ moduleId }, types, channel) => this.events.subscribe(moduleId, types, channel),
      answer: (connection, request) => this.#answer(connection, request),
      onClosed: (connection) => this.#forget(connection),
    };
  }

  async #answer({ moduleId }: IpcConnection, request: AnyRequest): Promise<AnyResponse> {
    // Answered before permissions and limits are looked at.
    if (request.name === "RegisterCliSpec") {
      this.cliSpecs.set(moduleId, request.value.spec);
      return { name: "Bool", value: { value: true } };
    }
    const missing = this.permissions.missing(moduleId, request.name);
    if (missing !== undefined) throw new RequestError(`Permission denied: ${moduleId} does not have ${missing}`);
    if ((this.#options.rateLimits ?? true) && !this.#limits.take(moduleId)) {
      throw new RequestError(`Module ${moduleId} exceeded rate limit`);
    }
    return answerRequest(
      {
        chain: this.chain,
        events: this.events,
        apis: this.apis,
        published: this.published,
        switches: this.switches,
        modules: () => this.modules,
        nowMs: this.#options.nowMs ?? Date.now,
        queueBlock: (bytes) => this.queueBlock(bytes),
        callModuleApi: (...call) => this.#callModuleApi(...call),
      },
      moduleId,
      request,
    );
  }

  async #callModuleApi(target: string, method: string, params: Uint8Array, caller: string): Promise<Uint8Array> {
    const value = { method, params, callerModuleId: caller };
    const answer = await this.invoke(target, { name: "ModuleApi", value });
    if (!answer.success) throw new RequestError(answer.error ?? "Unknown error");
    if (answer.payload?.name !== "ModuleApi") throw new RequestError("wrong payload type");
    return answer.payload.value.result;
  }

  #forget(connection: IpcConnection): void {
    const { moduleId } = connection;
    if (moduleId === "") return;
    this.apis.delete(moduleId);
    this.#byId.delete(moduleId);
    this.cliSpecs.delete(moduleId);
    this.events.unsubscribe(moduleId);
    const { lateUnsubscribeMs = 20 } = this.#options;
    // The forwarding task notices later, and takes away what a new connection under the same id has subscribed to.
    if (lateUnsubscribeMs !== false) this.#later(lateUnsubscribeMs, () => this.events.unsubscribe(moduleId));
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#later(ms, resolve));
  }
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
