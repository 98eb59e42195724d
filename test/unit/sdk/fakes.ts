/** A chain's host that remembers, and daemons at the level of HTTP that answer from a table or misbehave. */
import type { Files } from "../../../src/daemon/files.ts";
import type { HttpAnswer, HttpLimits, HttpPost } from "../../../src/daemon/http.ts";
import type { ClientSocket, SocketEvents } from "../../../src/daemon/socket.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import type { Host } from "../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import type { DaemonPorts } from "../../../src/sdk/daemon-config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

/** A host and all that it was told. */
export function fakeHost() {
  const clock = new FakeClock();
  const log = recordingLog();
  const stop = new AbortController();
  const offers: (AuxWork | undefined)[] = [];
  const troubles: (string | undefined)[] = [];
  const up = new Map<string, boolean[]>();
  const host: Host = {
    chain: "namecoin",
    folder: "/etc/pool",
    signal: stop.signal,
    log,
    clock,
    meter: {
      count() {},
      gauge() {},
      daemon: (name, isUp) => void up.set(name, [...(up.get(name) ?? []), isUp]),
    },
    offer: (work) => void offers.push(work),
    trouble: (sentence) => void troubles.push(sentence),
  };
  const said = (level: string): string[] => log.lines.filter((line) => line.level === level).map((l) => l.message);
  return { host, clock, log, stop, offers, troubles, up, said };
}

/** Thrown by a method to answer with an error. */
export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Answers one call; throws `Refusal` for an RPC error. */
export type Method = (params: never) => unknown;

/** What a daemon does with every call: `serve` by its table, or a system error's code, silence, or a text as it is. */
export type Mood = "serve" | "hang" | { readonly error: string } | Partial<HttpAnswer>;

/** A daemon behind HTTP. */
export class FakeDaemon implements HttpPost {
  readonly table: Record<string, Method> = {};
  readonly calls: { readonly method: string; readonly params: unknown }[] = [];
  readonly authorizations: (string | undefined)[] = [];
  /** Of all calls. */
  mood: Mood = "serve";
  /** Of single methods. */
  readonly moods = new Map<string, Mood>();
  /** Calls under way. */
  open = 0;
  /** The most calls of one method that were under way at a time. */
  readonly most = new Map<string, number>();
  closed = false;

  /** How often `method` was called. */
  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** The parameters of the last call of `method`. */
  last(method: string): unknown {
    return this.calls.filter((call) => call.method === method).at(-1)?.params;
  }

  async post(body: string, headers: Readonly<Record<string, string>>, limits: HttpLimits): Promise<HttpAnswer> {
    const { id, method, params } = JSON.parse(body) as { id: number; method: string; params: never };
    this.calls.push({ method, params });
    this.authorizations.push(headers.authorization);
    this.open += 1;
    const now = (this.#now.get(method) ?? 0) + 1;
    this.#now.set(method, now);
    this.most.set(method, Math.max(this.most.get(method) ?? 0, now));
    try {
      return await this.#answer(id, method, params, limits);
    } finally {
      this.open -= 1;
      this.#now.set(method, (this.#now.get(method) ?? 1) - 1);
    }
  }

  readonly #now = new Map<string, number>();

  async #answer(id: number, method: string, params: never, limits: HttpLimits): Promise<HttpAnswer> {
    await Promise.resolve();
    const mood = this.moods.get(method) ?? this.mood;
    if (mood === "hang") return await aborted(limits.signal);
    if (mood !== "serve" && "error" in mood) {
      throw Object.assign(new Error(`connect ${mood.error} user:hunter2`), { code: mood.error });
    }
    if (mood !== "serve") return sized({ status: 200, dateMs: undefined, text: "", ...mood }, limits);
    const run = this.table[method];
    try {
      if (run === undefined) throw new Refusal(-32601, "Method not found");
      const result = await Promise.race([run(params), aborted(limits.signal)]);
      return sized({ status: 200, dateMs: undefined, text: JSON.stringify({ result, error: null, id }) }, limits);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const text = JSON.stringify({ result: null, error: { code: error.code, message: error.message }, id });
      return { status: 500, dateMs: undefined, text };
    }
  }

  close(): void {
    this.closed = true;
  }
}

function sized(answer: HttpAnswer, limits: HttpLimits): HttpAnswer {
  if (answer.text.length > limits.maxBytes) throw new Fault("node-answer-too-big", { maxBytes: limits.maxBytes });
  return answer;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Ports under which the daemons are reached by host and port. */
export function portsTo(daemons: Readonly<Record<string, FakeDaemon>>, files: Readonly<Record<string, string>> = {}) {
  const sockets: { events: SocketEvents; written: Uint8Array[]; socket: ClientSocket; address: string }[] = [];
  const read: Files["read"] = async (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return text;
  };
  const ports: DaemonPorts = {
    files: { read },
    http: (url) => {
      const daemon = daemons[url.host];
      if (daemon === undefined) throw new Error(`no daemon at ${url.host}`);
      return daemon;
    },
    connect: (host, port, events) => {
      const written: Uint8Array[] = [];
      const socket = { write: (bytes: Uint8Array) => void written.push(bytes), destroy: () => undefined };
      sockets.push({ events, written, socket, address: `${host}:${port}` });
      return socket;
    },
  };
  return { ports, sockets };
}
