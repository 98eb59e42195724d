/**
 * A private PostgreSQL from the binaries of Debian's package, for tests: its own data directory, its own port on loopback or a Unix socket in a
 * folder of its own, durable as in production. It ends with the process that started it, also when that one is killed.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

/** A PostgreSQL that runs. */
export interface PostgresServer {
  /** Its superuser's URL, database `postgres`. */
  readonly url: string;
  /** Ends it as `kill -9` of its first process does; the others follow by themselves. Resolves once all are gone. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on the same data and the same port. */
  restart(): Promise<void>;
  /** Shuts it down and removes its data. */
  stop(): Promise<void>;
}

/** `socket`: without passwords, in a folder that nobody else may enter. `loopback`: TCP with a password (SCRAM). */
export type PostgresReach = "socket" | "loopback";

/** The folder of PostgreSQL's programs, the newest version; `undefined` where none is installed. */
export function postgresPrograms(): string | undefined {
  try {
    const versions = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => `/usr/lib/postgresql/${version}/bin`).find((bin) => has(bin, "initdb"));
  } catch {
    return undefined;
  }
}

const USER = "ledger";

/**
 * PostgreSQL in the foreground until our end of the pipe closes, which the kernel does for us however we end; then its data goes too.
 * A background job of a shell reads nothing, so `cat` is what waits.
 */
const UNTIL_PIPE_CLOSES = `folder="$1"; shift
"$@" & server=$!
cat >/dev/null
kill -INT "$server" 2>/dev/null; wait "$server"
[ -e "$folder/keep" ] || rm -rf "$folder"`;

/** Starts one. `bin`: what `postgresPrograms` gave. */
export async function startPostgres(bin: string, reach: PostgresReach): Promise<PostgresServer> {
  const owner = process.getuid?.() === 0 ? unprivileged() : undefined;
  const folder = mkdtempSync(join(tmpdir(), "ledger-pg-"));
  const data = join(folder, "data");
  const password = randomBytes(12).toString("hex");
  const secret = join(folder, "password");
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(secret, password, { mode: 0o600 });
  if (owner !== undefined) for (const path of [folder, data, secret]) chownSync(path, owner.uid, owner.gid);
  const method = reach === "socket" ? "trust" : "scram-sha-256";
  const initdb = ["-D", data, "-U", USER, "-E", "UTF8", "--locale=C", "--auth", method, "--pwfile", secret];
  execFileSync(join(bin, "initdb"), initdb, { cwd: folder, stdio: ["ignore", "ignore", "pipe"], ...owner });
  const port = reach === "socket" ? 5432 : await freePort();
  const url =
    reach === "socket"
      ? `postgres://${USER}@/postgres?host=${encodeURIComponent(folder)}`
      : `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;
  const settings = {
    listen_addresses: reach === "socket" ? "" : "127.0.0.1",
    port: String(port),
    unix_socket_directories: reach === "socket" ? folder : "",
    fsync: "on",
    synchronous_commit: "on",
    shared_buffers: "32MB",
    max_connections: "60",
  };
  const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const launch = (): ChildProcess => {
    const command = ["-c", UNTIL_PIPE_CLOSES, "sh", folder, join(bin, "postgres"), ...args];
    // A group of its own: Ctrl-C at the terminal ends the tests first, and the pipe ends this.
    return spawn("/bin/sh", command, { cwd: folder, stdio: ["pipe", "ignore", "ignore"], detached: true, ...owner });
  };
  const ended = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once("exit", () => resolve());
    });
  let shell = launch();
  await answers(url);
  return {
    url,
    async kill() {
      process.kill(Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]), "SIGKILL");
      writeFileSync(join(folder, "keep"), "");
      shell.stdin?.end();
      await ended(shell);
      await gone(url);
    },
    async restart() {
      rmSync(join(folder, "keep"), { force: true });
      shell = launch();
      await answers(url);
    },
    async stop() {
      rmSync(join(folder, "keep"), { force: true });
      shell.stdin?.end();
      await ended(shell);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid: number; readonly gid: number } {
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  const entry = (name: string): string | undefined => users.find((line) => line.startsWith(`${name}:`));
  const [, , uid, gid] = (entry("postgres") ?? entry("nobody") ?? "").split(":");
  if (uid === undefined || gid === undefined) throw new Error("there is no user postgres and no user nobody");
  return { uid: Number(uid), gid: Number(gid) };
}

function has(folder: string, name: string): boolean {
  try {
    return readdirSync(folder).includes(name);
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}

async function connects(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client.end().catch(() => {});
  }
}

async function answers(url: string): Promise<void> {
  await eventually(url, (error) => error === undefined);
}

async function gone(url: string): Promise<void> {
  await eventually(url, (error) => error !== undefined);
}

async function eventually(url: string, wanted: (error: unknown) => boolean): Promise<void> {
  let last: unknown;
  for (const end = performance.now() + 30_000; performance.now() < end; ) {
    last = await connects(url);
    if (wanted(last)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("PostgreSQL did not come to the wanted state in 30 s", { cause: last });
}
