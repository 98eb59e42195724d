/** SRI's translator_sv2 as a process of its own, between our server and SV1 miners on loopback. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Program, run } from "../../support/program.ts";
import { until } from "../../support/until.ts";
import type { Pool } from "./pool.ts";

/** What differs between the tests; the rest is as in its example configuration, for CPUs. */
export interface TranslatorOptions {
  /** One upstream channel for all miners instead of one for each. */
  readonly aggregate?: boolean;
  /** Extensions that it insists on, e.g. 2. */
  readonly required?: readonly number[];
  /** Start of the user identity of its channels; `farm`. */
  readonly userIdentity?: string;
  /** Whether it corrects difficulties itself and tells the pool by UpdateChannel. */
  readonly vardiff?: boolean;
  /** Whether it checks that the coinbase pays the address in `userIdentity`. */
  readonly verifyPayout?: boolean;
  /** How often the upstream is listed. Having been connected to one, it never goes back to it. */
  readonly entries?: number;
}

/** A running translator. */
export interface Translator {
  /** Where SV1 miners connect. */
  readonly port: number;
  readonly process: Program;
  /** Everything that it wrote to its log. */
  said(): string;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Starts a translator and resolves when SV1 miners can connect. */
export async function startTranslator(
  binary: string,
  pool: Pick<Pool, "host" | "port" | "authorityPublicKey">,
  options: TranslatorOptions = {},
): Promise<Translator> {
  const { aggregate = false, required = [], userIdentity = "farm", entries = 1 } = options;
  const { vardiff = false, verifyPayout = false } = options;
  const folder = mkdtempSync(join(tmpdir(), "interop-translator-"));
  const port = await freePort();
  const file = join(folder, "translator.toml");
  const upstream = `[[upstreams]]
address = "${pool.host}"
port = ${pool.port}
authority_pubkey = "${pool.authorityPublicKey}"
user_identity = "${userIdentity}"
`;
  writeFileSync(
    file,
    `downstream_address = "127.0.0.1"
downstream_port = ${port}
min_supported_version = 2
max_supported_version = 2
downstream_extranonce2_size = 4
verify_payout = ${verifyPayout}
aggregate_channels = ${aggregate}
supported_extensions = [2]
required_extensions = [${required.join(", ")}]

[downstream_difficulty_config]
min_individual_miner_hashrate = 50000.0
shares_per_minute = 60.0
enable_vardiff = ${vardiff}
job_keepalive_interval_secs = 60

${upstream.repeat(entries)}`,
  );
  const process = run(binary, ["-c", file], { cwd: folder });
  const said = (): string => [...process.out, ...process.err].join("\n");
  let exitCode: number | undefined;
  void process.ended.then((code) => {
    exitCode = code;
    rmSync(folder, { recursive: true, force: true });
  });
  const stop = async (): Promise<void> => {
    process.kill("SIGTERM");
    await process.ended;
  };
  try {
    await until(
      "the translator listens or has ended",
      () =>
        said().includes("Listening for downstream") ||
        said().includes("Launching ChannelManager") ||
        exitCode !== undefined,
      120_000,
    );
    if (exitCode !== undefined) throw new Error(`the translator ended with ${exitCode}`);
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : error}; it said:\n${said()}`, { cause: error });
  }
  return { port, process, said, stop };
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
