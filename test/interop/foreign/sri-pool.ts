/** SRI's pool_sv2 as a process of its own on loopback, with a template provider above it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Program, run } from "../../support/program.ts";
import { until } from "../../support/until.ts";
import { freePort } from "./translator.ts";

/** SRI's test authority, of its example configurations. */
const AUTHORITY_PUBLIC_KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const AUTHORITY_SECRET_KEY = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";

/** What differs between the tests; the rest is as in its example configuration, for CPUs. */
export interface SriPoolOptions {
  /** Regtest address that blocks pay. */
  readonly payoutAddress: string;
  /** Shares a minute that it aims at; 60. */
  readonly sharesPerMinute?: number;
  /** Accepted shares that one SubmitShares.Success acknowledges; 5. */
  readonly shareBatchSize?: number;
  /** Extensions that clients must ask for. */
  readonly requiredExtensions?: readonly number[];
  /** Where it listens; any free port when left out. */
  readonly port?: number;
}

/** A running pool. */
export interface SriPool {
  readonly host: string;
  /** Where miners connect. */
  readonly port: number;
  /** Base58check. */
  readonly authorityPublicKey: string;
  /** As a pool publishes it. */
  readonly url: string;
  readonly process: Program;
  /** Everything that it wrote to its log. */
  said(): string;
  /** Shares that it accepted so far. */
  accepted(): number;
  /** Error codes of the shares that it refused so far. */
  refused(): string[];
  /** User identities of the channels that were opened so far, in order. */
  opened(): string[];
  /** Hash rates that clients claimed so far, at the opening of a channel and by UpdateChannel, in order. */
  claimed(): number[];
  /** Ends it. */
  stop(): Promise<void>;
}

/** Starts a pool and resolves when miners can connect: it accepts none before it has a template. */
export async function startSriPool(
  binary: string,
  provider: { readonly address: string; readonly authorityPublicKey: string },
  options: SriPoolOptions,
): Promise<SriPool> {
  const { payoutAddress, sharesPerMinute = 60, shareBatchSize = 5, requiredExtensions = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "interop-sri-pool-"));
  const host = "127.0.0.1";
  const port = options.port ?? (await freePort());
  const file = join(folder, "pool.toml");
  writeFileSync(
    file,
    `authority_public_key = "${AUTHORITY_PUBLIC_KEY}"
authority_secret_key = "${AUTHORITY_SECRET_KEY}"
cert_validity_sec = 3600
listen_address = "${host}:${port}"
coinbase_reward_script = "addr(${payoutAddress})"
server_id = 1
pool_signature = "interop"
shares_per_minute = ${sharesPerMinute.toFixed(1)}
share_batch_size = ${shareBatchSize}
supported_extensions = [2]
required_extensions = [${requiredExtensions.join(", ")}]

[template_provider_type.Sv2Tp]
address = "${provider.address}"
public_key = "${provider.authorityPublicKey}"
`,
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
    const ready = (): boolean => said().includes("ready to accept connections") || exitCode !== undefined;
    await until("the pool takes miners or has ended", ready, 60_000);
    if (exitCode !== undefined) throw new Error(`the pool ended with ${exitCode}`);
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : error}; it said:\n${said()}`, { cause: error });
  }
  const all = (pattern: RegExp): string[] => [...said().matchAll(pattern)].map(([, found = ""]) => found);
  return {
    host,
    port,
    authorityPublicKey: AUTHORITY_PUBLIC_KEY,
    url: `stratum2+tcp://${host}:${port}/${AUTHORITY_PUBLIC_KEY}`,
    process,
    said,
    // Of each accepted share it says one of these: just that, that it completes a batch, or that it is a block.
    accepted: () =>
      all(/: SubmitShares(?:Standard|Extended): (valid share|SubmitSharesSuccess|💰 Block Found)/gu).length,
    refused: () => all(/ SubmitSharesError: .*error_code: ([a-z-]+)/g),
    opened: () => all(/Received Open\w+MiningChannel: .*?user_identity: ([^,]*),/g),
    claimed: () => all(/Received.*? nominal_hash_rate[:=] ?([\d.]+)/g).map(Number),
    stop,
  };
}
