/** Our program in pool mode, as its user starts it: `start -c config.toml` in a folder of its own, below somebody's pool. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Program, program } from "../../support/program.ts";

/** What differs between the tests. */
export interface OurServerOptions {
  /** `[[pools]]` in order of preference, as their pools publish them. */
  readonly pools: readonly string[];
  /** Our account there; `farm`. */
  readonly user?: string;
  readonly channels?: "aggregated" | "per_miner";
}

/** A running server. */
export interface OurServer {
  readonly host: string;
  readonly port: number;
  /** Base58check. */
  readonly authorityPublicKey: string;
  /** For `mine`. */
  readonly url: string;
  readonly process: Program;
  /** Everything that it wrote to its log. */
  said(): string;
  /** Ends it as a service manager does; throws when it fails. */
  stop(): Promise<void>;
}

/** Starts a server and resolves when miners can connect; whether a pool has given it work yet is another matter. */
export async function startOurServer(options: OurServerOptions): Promise<OurServer> {
  const { pools, user = "farm", channels = "aggregated" } = options;
  const folder = mkdtempSync(join(tmpdir(), "interop-pool-mode-"));
  writeFileSync(
    join(folder, "config.toml"),
    `[stratum_v2]
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
[vardiff]
shares_per_minute = 60
[jobs]
ack_s = 1
[upstream]
user = "${user}"
channels = "${channels}"
${pools.map((url) => `[[pools]]\nurl = "${url}"\n`).join("")}`,
  );
  const process = program(["start", "-c", "config.toml", "--json"], { cwd: folder });
  void process.ended.then(() => rmSync(folder, { recursive: true, force: true }));
  const said = (): string => process.err.join("\n");
  const facts = JSON.parse(await process.line((line) => line.includes('"listening"')));
  const [host = "", port = ""] = String(facts.listening).split(":");
  return {
    host,
    port: Number(port),
    authorityPublicKey: facts.authorityPublicKey,
    url: facts.url,
    process,
    said,
    async stop() {
      process.kill("SIGTERM");
      const code = await process.ended;
      if (code !== 0) throw new Error(`the server ended with ${code}; it said:\n${said()}`);
    },
  };
}
