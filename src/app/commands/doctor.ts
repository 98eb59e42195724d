/** `doctor`: everything that usually goes wrong, looked at before it costs a block. */
import { existsSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { addressOfScript } from "../../bitcoin/address.ts";
import { diskFiles } from "../../daemon/files.ts";
import { connectTcp } from "../../daemon/socket.ts";
import { readToken } from "../../host/control-server.ts";
import { toHex, utf8 } from "../../kernel/bytes.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import { silentLog } from "../../kernel/log.ts";
import { checkCoinbaseFits } from "../../mining/job.ts";
import { payoutIdentity } from "../../mining/payout-identity.ts";
import { examineNode } from "../../node/bitcoind/examine.ts";
import { readAuthorityKeyFile } from "../../pool/identity-file.ts";
import { authorityPublicKey, encodeAuthorityPublicKey } from "../../sv2/noise/authority-key.ts";
import { clientIdentityOf } from "../client-identity.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { EXIT } from "../exit-codes.ts";
import { authorityKeyPath, rpcClient } from "../parts.ts";
import { plainText } from "../reports/plain-text.ts";
import {
  absolute,
  controlOf,
  ledgerAddressOf,
  mergeSettingsOf,
  nodesOf,
  parseHostPort,
  payoutScriptOf,
} from "../settings.ts";
import { systemClock } from "../system.ts";
import { providersOf } from "../template-settings.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";
import { isPaidByPools, isPoolAlone, upstreamOf } from "../upstream-settings.ts";
import { checkChains, type Finding } from "./doctor-chains.ts";
import { checkLedger, LEDGER_CHECK } from "./doctor-ledger.ts";
import { type ModuleTarget, moduleChecks } from "./doctor-module.ts";
import { checkPool } from "./doctor-pool.ts";
import { checkDeclaration, checkProvider } from "./doctor-templates.ts";
import { checkTls, TLS_CHECK } from "./doctor-tls.ts";
import { type ModuleWords, moduleTarget } from "./module-target.ts";

/** The clocks of miners, nodes and ours may differ by this much before it is worth a word, ms. */
const CLOCK_TOLERANCE_MS = 10_000;

/** A provider without a template after this time, ms, counts as away. */
const PROVIDER_TIMEOUT_MS = 20_000;

/** Words behind `doctor`. */
export interface DoctorOptions extends ModuleWords {
  readonly config?: string;
  readonly module: boolean;
  readonly json: boolean;
}

/** Checks everything and prints the findings; the exit code says whether one failed. Throws `Fault` `config-*` for what cannot be read at all. */
export async function doctor(options: DoctorOptions, terminal: Terminal, signal: AbortSignal): Promise<number> {
  const checks = options.module ? checksOfModule(moduleTarget(options)) : checksOf(loadConfig(options.config));
  const findings: Finding[] = [];
  const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  const mark = { ok: paint.green("ok     "), warning: paint.yellow("warning"), failed: paint.red("failed ") };
  for (const check of checks) {
    if (signal.aborted) break;
    for (const finding of await check()) {
      findings.push(finding);
      if (options.json) continue;
      // Logs, nodes and daemons put their words into these; none of them paints this terminal.
      const [name, detail] = [plainText(finding.check), plainText(finding.detail)];
      terminal.out(`${mark[finding.result]} ${paint.bold(name)}: ${detail}`);
      if (finding.fix !== undefined) terminal.out(`        fix: ${plainText(finding.fix)}`);
    }
  }
  const failed = findings.filter(({ result }) => result === "failed").length;
  if (options.json) terminal.out(jsonLine({ ok: failed === 0, findings }));
  else
    terminal.out(
      failed === 0 ? "everything that was checked is in order" : `${failed} of ${findings.length} checks failed`,
    );
  return failed === 0 ? EXIT.ok.code : EXIT.problems.code;
}

type Check = () => Promise<Finding[]>;

function checksOf(loaded: LoadedConfig): Check[] {
  const { config } = loaded;
  return [
    async () => [ok("configuration", loaded.file ?? "built-in defaults (no -c given)")],
    ...commonChecks(loaded),
    ...[config.stratum_v2, config.template_server, config.job_declaration].flatMap(({ listen_addr }) =>
      listen_addr === undefined ? [] : [guarded("listening address", () => checkListen(listen_addr))],
    ),
    guarded(TLS_CHECK, () => checkTls(loaded)),
    guarded("Bitcoin nodes", () => checkNodes(loaded)),
    guarded("template providers", () => checkProviders(loaded)),
    guarded("chains", () => checkChains(loaded, failed)),
  ];
}

/** Of a module: the running one has the address and its chains' daemons, and there may be no node besides. */
function checksOfModule(target: ModuleTarget): Check[] {
  const { loaded } = target;
  return [
    async () => [ok("configuration", loaded.file ?? "built-in defaults: no config.toml was found")],
    ...moduleChecks(target).map(([check, run]) => guarded(check, run)),
    ...commonChecks(loaded),
    guarded("Bitcoin nodes", async () => (loaded.config.bitcoind.length === 0 ? [] : await checkNodes(loaded))),
    guarded("template providers", () => checkProviders(loaded)),
  ];
}

function commonChecks(loaded: LoadedConfig): Check[] {
  const { config } = loaded;
  return [
    async () => checkRuntime(),
    guarded("pool mode", () => checkPools(loaded)),
    guarded("data folder", () => checkDataFolder(loaded)),
    guarded("authority key", () => checkKey(loaded)),
    guarded(LEDGER_CHECK, () => checkLedger(ledgerAddressOf(loaded))),
    guarded("payout", async () => [...checkPayoutScript(loaded), ...checkIdentities(config)]),
    guarded("coinbase", async () => {
      if (isPoolAlone(config)) return [ok("coinbase", "the pool makes it")];
      const mergeMining = mergeSettingsOf(loaded).chains.length > 0;
      checkCoinbaseFits({ tag: utf8(config.bitcoin.pool_tag), mergeMining });
      const fits = `height, ${mergeMining ? "commitment, " : ""}tag ${JSON.stringify(config.bitcoin.pool_tag)} and extranonce`;
      return [ok("coinbase", `${fits} fit 100 bytes`)];
    }),
    guarded("control API", () => checkControl(loaded)),
  ];
}

function ok(check: string, detail: string): Finding {
  return { check, result: "ok", detail };
}

function failed(check: string, error: unknown): Finding {
  return { check, result: "failed", detail: describe(error), fix: helpOf(error) };
}

/** The advice of the innermost fault: it knows most. */
function helpOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Fault ? helpOf(error.cause) : undefined;
  return (
    cause ??
    (error instanceof Fault ? error.help : "Read the message above; the system refused what the program asked for.")
  );
}

function guarded(check: string, run: Check): Check {
  return async () => {
    try {
      return await run();
    } catch (error) {
      return [failed(check, error)];
    }
  };
}

function checkRuntime(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return [ok("Node.js", process.versions.node)];
  const fix = "Install Node.js 20.19 or newer.";
  return [{ check: "Node.js", result: "failed", detail: `${process.versions.node} is too old`, fix }];
}

/** Looks only: the folder is made by the first start. */
async function checkDataFolder({ config, folder }: LoadedConfig): Promise<Finding[]> {
  const dataDir = absolute(config.stratum_v2.data_dir, folder);
  const existing = nearestExisting(dataDir);
  await access(existing, constants.R_OK | constants.W_OK | constants.X_OK);
  return [ok("data folder", existing === dataDir ? `${dataDir} is writable` : `${dataDir} can be made`)];
}

function nearestExisting(folder: string): string {
  return existsSync(folder) ? folder : nearestExisting(dirname(folder));
}

async function checkKey({ config, folder }: LoadedConfig): Promise<Finding[]> {
  const file = authorityKeyPath(absolute(config.stratum_v2.data_dir, folder));
  const secret = await readAuthorityKeyFile(file);
  if (secret === undefined) return [ok("authority key", `${file} does not exist yet; the first start makes it`)];
  return [ok("authority key", `miners check ${encodeAuthorityPublicKey(authorityPublicKey(secret))}`)];
}

function checkListen(address: string): Promise<Finding[]> {
  const { host, port } = parseHostPort(address);
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (cause) =>
      resolve([failed("listening address", new Fault("listen-failed", { address }, { cause }))]),
    );
    server.listen({ host, port }, () => server.close(() => resolve([ok("listening address", `${address} is free`)])));
  });
}

/** Its socket is made by the start; a token must be there before. */
async function checkControl(loaded: LoadedConfig): Promise<Finding[]> {
  const control = controlOf(loaded);
  if (control?.kind !== "tcp") return [];
  await readToken(diskFiles, control.tokenFile);
  return [ok("control API", `a token for ${loaded.config.control.listen} is there`)];
}

function checkPayoutScript(loaded: LoadedConfig): Finding[] {
  if (isPaidByPools(loaded.config) && loaded.config.bitcoin.payout === undefined) return [];
  const script = payoutScriptOf(loaded);
  const { network } = loaded.config.bitcoin;
  const address = addressOfScript(script, network);
  return [ok("payout", `${network} blocks pay ${address ?? `script ${toHex(script)}`}`)];
}

/** Where coinbases pay identities, whether those that may mine name anybody to pay. */
function checkIdentities(config: LoadedConfig["config"]): Finding[] {
  const { access, bitcoin } = config;
  if (bitcoin.coinbase_pays !== "identity" || isPaidByPools(config)) return [];
  const check = "identities";
  if (access.policy === "open") return [ok(check, "blocks pay the address in the finder's user identity")];
  if (access.policy === "payout_address") return [ok(check, "whoever names an address may mine and is paid by blocks")];
  const read = access.allow.map((entry) => ({
    entry,
    kind: payoutIdentity(entry.replace(/\.\*$/, ""), bitcoin.network).kind,
  }));
  const refused = read.filter(({ kind }) => kind === "invalid").map(({ entry }) => entry);
  const paid = read.filter(({ kind }) => kind === "solo" || kind === "donate").length;
  const findings: Finding[] = [];
  if (refused.length > 0) {
    const shown = refused.slice(0, 3).join(", ");
    const detail = `${refused.length} of access.allow cannot be paid and are refused, e.g. ${shown}`;
    findings.push({ check, result: "warning", detail, fix: "docs/solo.md lists the forms of a user identity." });
  }
  if (paid > 0) return [...findings, ok(check, `${paid} of access.allow name an address that blocks pay`)];
  const detail = "nobody in access.allow names an address, so every block pays bitcoin.payout";
  const fix = 'List addresses ("ADDRESS.*"), choose another access.policy, or set coinbase_pays = "pool".';
  return [...findings, { check, result: "warning", detail, fix }];
}

/** All pools at once: each may take its whole time. */
async function checkPools(loaded: LoadedConfig): Promise<Finding[]> {
  const { config } = loaded;
  const upstream = upstreamOf(loaded);
  if (upstream === undefined) return [];
  const versionRollingMask = Number(config.jobs.version_rolling_mask);
  const options = { ...upstream, versionRollingMask, clientIdentity: clientIdentityOf(loaded), mode: upstream.declare };
  const checked = await Promise.all(
    upstream.pools.flatMap((pool) => [checkPool(pool, options), checkDeclaration(pool, options)]),
  );
  return checked.flat();
}

async function checkProviders(loaded: LoadedConfig): Promise<Finding[]> {
  const options = { connectTimeoutMs: PROVIDER_TIMEOUT_MS };
  const checked = await Promise.all(providersOf(loaded).map((provider) => checkProvider(provider, options)));
  return checked.flat();
}

async function checkNodes(loaded: LoadedConfig): Promise<Finding[]> {
  const { config } = loaded;
  if (isPoolAlone(config) && config.bitcoind.length === 0) return [];
  let payoutScript: Uint8Array | undefined;
  try {
    payoutScript = payoutScriptOf(loaded);
  } catch {
    // Told by its own check; the nodes are looked at all the same.
  }
  const findings = await Promise.all(
    nodesOf(loaded).map(async (node): Promise<Finding[]> => {
      const rpc = rpcClient(node, config);
      const check = `node ${rpc.name}`;
      try {
        const { facts, template, faults } = await examineNode(
          { rpc, clock: systemClock, log: silentLog, connect: connectTcp },
          {
            network: config.bitcoin.network,
            staleTipMs: config.templates.stale_tip_s * 1000,
            ...(payoutScript === undefined ? {} : { payoutScript }),
            ...(node.zmqAddress === undefined ? {} : { zmqAddress: node.zmqAddress }),
          },
        );
        const problems = faults.map((fault) => (template === undefined ? failed(check, fault) : warning(check, fault)));
        if (facts.tip === undefined) return problems;
        const gave =
          template === undefined
            ? "no template"
            : `a template of ${template.transactions} transactions in ${Math.round(template.seconds * 1000)} ms`;
        return [
          ok(check, `${config.bitcoin.network} at height ${facts.tip.height}, ${gave}`),
          ...problems,
          ...checkClock(check, rpc.clockOffsetMs),
        ];
      } finally {
        rpc.close();
      }
    }),
  );
  return findings.flat();
}

function warning(check: string, fault: Fault): Finding {
  return { check, result: "warning", detail: describe(fault), fix: fault.help };
}

/** The node's clock is the one other clock at hand; blocks two hours ahead of the network's time are refused. */
function checkClock(check: string, offsetMs: number | undefined): Finding[] {
  if (offsetMs === undefined) return [];
  const seconds = Math.round(Math.abs(offsetMs) / 1000);
  if (Math.abs(offsetMs) <= CLOCK_TOLERANCE_MS) return [ok("clock", `within ${Math.max(1, seconds)} s of ${check}`)];
  const fix =
    "Let NTP set the clocks of both machines (timedatectl set-ntp true); miners refuse certificates from the future.";
  return [
    { check: "clock", result: "failed", detail: `${seconds} s ${offsetMs > 0 ? "behind" : "ahead of"} ${check}`, fix },
  ];
}
