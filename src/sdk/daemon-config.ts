/**
 * The daemons of a chain as configured, `[[chains.<name>.daemons]]`: the keys that every daemon with JSON-RPC has, and the
 * connections made of them. A plugin puts `daemonsConfig` into its own schema.
 */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { rpcAddress } from "../daemon/address.ts";
import type { Credentials } from "../daemon/credentials.ts";
import { diskFiles, type Files } from "../daemon/files.ts";
import { type HttpPost, nodeHttpPost } from "../daemon/http.ts";
import { type Rpc, RpcClient } from "../daemon/rpc.ts";
import { type ConnectSocket, connectTcp } from "../daemon/socket.ts";
import { zmqEndpoint } from "../daemon/zmq.ts";
import type { Host } from "../merge/plugin.ts";

/** How a daemon tells of new blocks besides ZMQ: `auto` waits with `waitfornewblock` where that is offered, `poll` only asks. */
export type NoticeChoice = "auto" | "wait" | "poll";

/** Says `sentence` of a key that is not there, and lets zod speak of everything else. */
const missing =
  (sentence: string) =>
  ({ input }: { readonly input?: unknown }): string | undefined =>
    input === undefined ? sentence : undefined;

/** The keys of one daemon. A plugin whose daemons need more spreads them into `daemonList`. */
export const daemonKeys = {
  /** RPC address, `http://host:port`; `user:password@` in it is used and never shown. */
  url: z
    .string({ error: missing("url is missing: the daemon's RPC address, e.g. http://127.0.0.1:8336") })
    .max(500, "url is too long"),
  /** Name in logs and metrics; host and port when left out. */
  name: z
    .string()
    .regex(/^[\w.:-]{1,40}$/, "name has 1 to 40 letters, digits or any of . : _ -")
    .optional(),
  /** The daemon's cookie file. Relative paths start at the folder of the configuration file. */
  cookie_file: z.string().min(1).optional(),
  user: z.string().optional(),
  password: z.string().optional(),
  /** File whose first line is the password. */
  password_file: z.string().min(1).optional(),
  /** `tcp://host:port` of the daemon's `zmqpubhashblock`. */
  zmq_hashblock: z.string().optional(),
  notice: z.enum(["auto", "wait", "poll"]).default("auto"),
  /** Seconds that a call may take; submissions get 30 at least. */
  rpc_timeout_s: z.number().min(0.1).max(300).default(10),
} as const;

/** One daemon as configured. */
export interface DaemonSettings {
  readonly url: string;
  readonly name?: string | undefined;
  readonly cookie_file?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly password_file?: string | undefined;
  readonly zmq_hashblock?: string | undefined;
  readonly notice: NoticeChoice;
  readonly rpc_timeout_s: number;
}

/** Daemons that a chain may have. */
const MAX_DAEMONS = 8;

/** The schema of a list of 1 to 8 daemons in order of preference; `more` are keys besides the common ones. */
export function daemonList<T extends z.ZodRawShape>(more: T) {
  return z
    .array(z.strictObject({ ...daemonKeys, ...more }), {
      error: missing("daemons is missing: write a table [[chains.<name>.daemons]] with the url of the chain's daemon"),
    })
    .min(1, "daemons is empty: at least one daemon is needed")
    .max(MAX_DAEMONS, `a chain has ${MAX_DAEMONS} daemons at most`)
    .superRefine((list, context) => {
      const names = new Set<string>();
      for (const [index, entry] of list.entries()) {
        const daemon = entry as unknown as DaemonSettings;
        const flaw = flawOf(daemon);
        const problem =
          flaw ?? (names.has(nameOf(daemon)) ? ["name", `two daemons are called ${nameOf(daemon)}`] : undefined);
        if (problem !== undefined) {
          context.addIssue({ code: "custom", path: [index, problem[0] ?? ""], message: problem[1] ?? "" });
        } else names.add(nameOf(daemon));
      }
    });
}

/** The schema of `daemons` for a chain whose daemons need no keys of their own. */
export const daemonsConfig = daemonList({});

/** What connections are made with. */
export interface DaemonPorts {
  readonly files: Pick<Files, "read">;
  readonly http: (url: URL) => HttpPost;
  readonly connect: ConnectSocket;
}

/** The machine's own. */
export const systemPorts: DaemonPorts = { files: diskFiles, http: nodeHttpPost, connect: connectTcp };

/** One daemon that can be called. */
export interface Daemon<S extends DaemonSettings = DaemonSettings> {
  readonly name: string;
  readonly rpc: Rpc;
  /** What was configured, for keys of the plugin's own. Holds secrets: never log it. */
  readonly settings: S;
}

/** Makes the daemons of `list`, in order; no I/O yet. Throws `Fault("node-url-invalid")`. */
export function daemonsOf<S extends DaemonSettings>(
  list: readonly S[],
  host: Pick<Host, "clock" | "folder">,
  ports: DaemonPorts = systemPorts,
): readonly Daemon<S>[] {
  return list.map((settings) => {
    const name = nameOf(settings);
    const rpc = new RpcClient(
      { clock: host.clock, files: ports.files, http: ports.http },
      {
        name,
        url: settings.url,
        credentials: credentialsOf(settings, host.folder),
        timeoutMs: settings.rpc_timeout_s * 1000,
      },
    );
    return { name, rpc, settings };
  });
}

/** The key and the sentence of the first thing that cannot be right. */
function flawOf(daemon: DaemonSettings): readonly [string, string] | undefined {
  try {
    rpcAddress(daemon.url);
  } catch {
    return ["url", "url is no address of the form http://host:port"];
  }
  const ways = [daemon.cookie_file, daemon.password, daemon.password_file].filter((value) => value !== undefined);
  if (ways.length > 1) return ["cookie_file", "only one of cookie_file, password and password_file can be used"];
  if (daemon.user === undefined && (daemon.password ?? daemon.password_file) !== undefined) {
    return ["user", "user is missing beside the password"];
  }
  if (daemon.user !== undefined && ways.length === 0) {
    return ["password", "password is missing beside user: add password or password_file, or remove user"];
  }
  if (daemon.user !== undefined && daemon.cookie_file !== undefined) {
    return ["user", "user has no effect beside cookie_file, which holds its own: remove one of them"];
  }
  if (daemon.zmq_hashblock !== undefined) {
    try {
      zmqEndpoint(daemon.zmq_hashblock);
    } catch {
      return ["zmq_hashblock", "zmq_hashblock is no address of the form tcp://host:port"];
    }
  }
  return undefined;
}

function nameOf(daemon: DaemonSettings): string {
  return daemon.name ?? rpcAddress(daemon.url).url.host;
}

function credentialsOf(daemon: DaemonSettings, folder: string): Credentials {
  if (daemon.cookie_file !== undefined) return { kind: "cookie", path: absolute(daemon.cookie_file, folder) };
  const user = daemon.user ?? "";
  if (daemon.password_file !== undefined) {
    return { kind: "passwordFile", user, path: absolute(daemon.password_file, folder) };
  }
  if (daemon.password !== undefined) return { kind: "password", user, password: daemon.password };
  return { kind: "none" };
}

/** `path` as an absolute one: `~` is the home folder, the rest starts at `folder`. */
function absolute(path: string, folder: string): string {
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  return isAbsolute(path) ? path : resolve(folder, path);
}
