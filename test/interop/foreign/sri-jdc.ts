/** SRI's jd_client_sv2 as a process of its own on loopback, below a pool with job declaration and beside a template provider. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../support/program.ts";
import { until } from "../../support/until.ts";
import { freePort } from "./translator.ts";

/** SRI's test authority, of its example configurations. */
const AUTHORITY_PUBLIC_KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const AUTHORITY_SECRET_KEY = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";

/** Whom it talks to: `host:port` of each server, all with one key. */
export interface SriJdcOptions {
  readonly pool: string;
  readonly declaration: string;
  readonly templates: string;
  /** Base58check. */
  readonly authorityPublicKey: string;
  /** Regtest address that is paid when it mines alone. */
  readonly payoutAddress: string;
}

/** A running client. */
export interface SriJdc {
  /** `host:port` where miners connect. */
  readonly listening: string;
  /** Base58check. */
  readonly authorityPublicKey: string;
  /** Everything that it wrote to its log. */
  said(): string;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Starts it and resolves when miners can connect. */
export async function startSriJdc(binary: string, options: SriJdcOptions): Promise<SriJdc> {
  const { pool, declaration, templates, authorityPublicKey, payoutAddress } = options;
  const folder = mkdtempSync(join(tmpdir(), "interop-sri-jdc-"));
  const listening = `127.0.0.1:${await freePort()}`;
  const [poolHost, poolPort] = pool.split(":");
  const [jdsHost, jdsPort] = declaration.split(":");
  const file = join(folder, "jdc.toml");
  writeFileSync(
    file,
    `listening_address = "${listening}"
max_supported_version = 2
min_supported_version = 2
authority_public_key = "${AUTHORITY_PUBLIC_KEY}"
authority_secret_key = "${AUTHORITY_SECRET_KEY}"
cert_validity_sec = 3600
shares_per_minute = 60.0
share_batch_size = 1
mode = "FULLTEMPLATE"
jdc_signature = "interop"
coinbase_reward_script = "addr(${payoutAddress})"
supported_extensions = []

[[upstreams]]
authority_pubkey = "${authorityPublicKey}"
pool_address = "${poolHost}"
pool_port = ${poolPort}
jds_address = "${jdsHost}"
jds_port = ${jdsPort}
user_identity = "declarer"

[template_provider_type.Sv2Tp]
address = "${templates}"
public_key = "${authorityPublicKey}"
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
    const ready = (): boolean => /listening|Listening|ready/.test(said()) || exitCode !== undefined;
    await until("the client takes miners or has ended", ready, 60_000);
    if (exitCode !== undefined) throw new Error(`the client ended with ${exitCode}`);
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : error}; it said:\n${said()}`, { cause: error });
  }
  return { listening, authorityPublicKey: AUTHORITY_PUBLIC_KEY, said, stop };
}
