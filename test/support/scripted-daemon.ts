/** JSON-RPC daemons without a network: an `HttpPost` whose answers are a function of the call, by URL. */
import type { HttpPost } from "../../src/daemon/http.ts";
import type { DaemonPorts } from "../../src/sdk/daemon-config.ts";

/** Thrown by a handler to answer with an `error` member. */
export class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** One daemon. */
export interface ScriptedDaemon {
  /** Methods by name; others are unknown to it. */
  readonly methods: Record<string, (params: readonly unknown[]) => unknown>;
  /** `down` nothing listens, `hang` it never answers. */
  state: "up" | "down" | "hang";
  readonly calls: { readonly method: string; readonly params: readonly unknown[] }[];
}

/** Makes a daemon that is up. */
export function scriptedDaemon(methods: ScriptedDaemon["methods"]): ScriptedDaemon {
  return { methods, state: "up", calls: [] };
}

/** Ports through which `daemons` are reached at their `host:port`. */
export function scriptedPorts(daemons: Readonly<Record<string, ScriptedDaemon>>): DaemonPorts {
  return {
    files: { read: () => Promise.reject(Object.assign(new Error("no files here"), { code: "ENOENT" })) },
    connect: () => {
      throw new Error("no sockets here");
    },
    http: (url): HttpPost => ({
      close() {},
      post: async (body, _headers, { signal }) => {
        const daemon = daemons[url.host];
        if (daemon === undefined || daemon.state === "down") {
          throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
        }
        const { id, method, params } = JSON.parse(body);
        daemon.calls.push({ method, params });
        if (daemon.state === "hang") {
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
          );
        }
        return {
          status: 200,
          dateMs: undefined,
          text: JSON.stringify({ jsonrpc: "2.0", id, ...(await answer(daemon, method, params)) }),
        };
      },
    }),
  };
}

async function answer(daemon: ScriptedDaemon, method: string, params: readonly unknown[]): Promise<object> {
  const run = Object.hasOwn(daemon.methods, method) ? daemon.methods[method] : undefined;
  if (run === undefined) return { error: { code: -32601, message: "method not found" } };
  try {
    return { result: (await run(params)) ?? null };
  } catch (error) {
    if (error instanceof RpcError) return { error: { code: error.code, message: error.message } };
    throw error;
  }
}

/** Lets everything that needs no time happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
