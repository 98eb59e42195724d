/** What `doctor` says of template providers and of pools' job declaration servers: whether a template and a token come, by the very connections that mine. */
import type { ServerAddress } from "../../client/url.ts";
import { describe, type Fault } from "../../kernel/fault.ts";
import { silentLog } from "../../kernel/log.ts";
import { silentMeter } from "../../kernel/meter.ts";
import { type Provider, ProviderConnection } from "../../node/templates/provider-connection.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { Declarator, type DeclaratorOptions } from "../../upstream/declaration/declarator.ts";
import type { UpstreamPool } from "../../upstream/pool-connection.ts";
import type { ClientIdentityPaths } from "../client-identity.ts";
import { dialServer } from "../dialers.ts";
import { systemClock, systemRandom } from "../system.ts";
import type { Finding } from "./doctor-chains.ts";

/** What is reserved at a provider that is only looked at: a payout and a few chains. */
const CONSTRAINTS = { bytes: 256, sigops: 4 } as const;

const KEY_FIX =
  "Take the authority key that the program prints or its operator publishes for this host and port; a certificate that is expired or not yet valid is the other side's to mend, or this machine's clock is wrong.";
const CLOSED_FIX = "The other side closed the connection without a word; its log may say why.";

/** Looks at a template provider. Never throws. */
export async function checkProvider(
  provider: Provider,
  options: { readonly connectTimeoutMs: number },
): Promise<Finding[]> {
  const check = `template provider ${provider.name}`;
  const [enough, startMs] = [new AbortController(), systemClock.monotonicMs()];
  let height: number | undefined;
  const connection = new ProviderConnection(surroundings(), provider, {
    ...options,
    connection: 1,
    constraints: CONSTRAINTS,
  });
  const end = await connection.run(
    {
      onTemplate(template) {
        height ??= template.height;
        enough.abort();
      },
      onTip() {},
    },
    enough.signal,
  );
  const tookMs = Math.round(systemClock.monotonicMs() - startMs);
  if (height === undefined) return [failed(check, end, provider.address)];
  return [...keyWords(check, provider.address), ok(check, `its template for block ${height} came after ${tookMs} ms`)];
}

/** Looks at the job declaration server of a pool that has one. Never throws. */
export async function checkDeclaration(
  { name, userIdentity, jds }: UpstreamPool,
  options: Pick<DeclaratorOptions, "mode" | "connectTimeoutMs"> & {
    readonly clientIdentity?: ClientIdentityPaths | undefined;
  },
): Promise<Finding[]> {
  if (jds === undefined) return [];
  const check = `job declaration of ${name}`;
  const [enough, startMs] = [new AbortController(), systemClock.monotonicMs()];
  const { mode, connectTimeoutMs } = options;
  const declarator = new Declarator(
    { ...surroundings(options.clientIdentity), meter: silentMeter },
    {
      pool: name,
      address: jds,
      userIdentifier: userIdentity,
      mode,
      connectTimeoutMs,
      answerTimeoutMs: connectTimeoutMs,
    },
  );
  let outputs: number | undefined;
  const end = await declarator.run(
    {
      onToken() {
        outputs ??= declarator.takeToken()?.outputs.length;
        enough.abort();
      },
      onCommitments() {},
    },
    enough.signal,
  );
  const tookMs = Math.round(systemClock.monotonicMs() - startMs);
  if (outputs === undefined) return [failed(check, end, jds)];
  const wanted = `${outputs} output${outputs === 1 ? "" : "s"} of the pool's`;
  return [...keyWords(check, jds), ok(check, `a token with ${wanted} came after ${tookMs} ms`)];
}

function surroundings(identity?: ClientIdentityPaths) {
  const crypto = nodeCrypto({ log: silentLog });
  return { clock: systemClock, random: systemRandom(), log: silentLog, crypto, dial: dialServer(identity) };
}

function ok(check: string, detail: string): Finding {
  return { check, result: "ok", detail };
}

function keyWords(check: string, { authorityPublicKey }: ServerAddress): Finding[] {
  if (authorityPublicKey !== undefined) return [ok(check, "its key is the one of the URL")];
  const detail = "its key was not checked, for the URL has none";
  const fix =
    "Put its authority key behind the port: stratum2+tcp://HOST:PORT/KEY. Without it anybody on the way can answer.";
  return [{ check, result: "warning", detail, fix }];
}

function failed(
  check: string,
  { reason, fault }: { readonly reason: string; readonly fault: Fault | undefined },
  { host, port }: ServerAddress,
): Finding {
  const detail = fault === undefined ? reason : describe(fault);
  return { check, result: "failed", detail, fix: fixOf(fault, host, port) };
}

function fixOf(fault: Fault | undefined, host: string, port: number): string {
  if (fault === undefined) return CLOSED_FIX;
  if (fault.code === "server-unreachable") {
    return `Check host and port, the way through the network, and whether it runs (\`nc -vz ${host} ${port}\`).`;
  }
  return /^(certificate|noise)-/.test(fault.code) ? KEY_FIX : fault.help;
}
