/** What `doctor` says of `pool_url`: each step of the way to a pool that speaks Stratum V2, up to the one that fails. */
import { lookup } from "node:dns/promises";
import { dialTcp } from "../../client/dial-tcp.ts";
import type { Dial, Link } from "../../client/link.ts";
import { parseServerUrl, type ServerAddress } from "../../client/url.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import { silentLog } from "../../kernel/log.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { NoiseInitiator } from "../../sv2/noise/handshake.ts";
import { systemClock, systemRandom } from "../system.ts";
import type { Finding } from "./doctor-chains.ts";

/** Deadline of each step, ms: a pool on the other side of the world answers in a second. */
const STEP_MS = 10_000;
/** A pool of Stratum V1 answers its first line at once. */
const SV1_MS = 5_000;
/** Bytes of an answer that are looked at. */
const MAX_ANSWER = 4096;
const LINE_END = 0x0a;

const CHECK = "pool_url";

/** Looks at a pool, as far as it gets. Never throws. */
export async function checkPool(text: string): Promise<Finding[]> {
  let url: ServerAddress;
  try {
    // The seed's form; what is spoken there shows below.
    url = parseServerUrl(text.replace(/^stratum\+tcp:/, "stratum2+tcp:"));
  } catch (error) {
    const fix = "Write stratum2+tcp://HOST:PORT/AUTHORITY_KEY as the pool publishes it; the key may be left out.";
    return [failed(error, fix)];
  }
  const { host, port } = url;
  const findings: Finding[] = [];
  try {
    const { address } = await lookup(host);
    findings.push(ok(address === host ? `${host} is an address` : `${host} resolves to ${address}`));
  } catch (error) {
    return [failed(error, "Check the pool's name and this machine's DNS (`getent hosts NAME`), or write an address.")];
  }
  let answer: Answer;
  try {
    const initiator = handshakeOf(url);
    const act1 = initiator.start();
    answer = await exchange(dialTcp, url, act1, ({ length }) => length >= initiator.expects, STEP_MS);
    findings.push(ok(`${host}:${port} takes connections`));
    if (answer.bytes.length >= initiator.expects) {
      initiator.read(answer.bytes.subarray(0, initiator.expects));
      return [...findings, ...spoke(url)];
    }
  } catch (error) {
    if (error instanceof Fault && /^(certificate|noise)-/.test(error.code))
      return [...findings, failed(error, KEY_FIX)];
    const fix = `Check host and port, the way through the network, and firewalls on both sides (\`nc -vz ${host} ${port}\`).`;
    return [...findings, failed(error, fix)];
  }
  return [...findings, await withoutNoise(url, answer)];
}

const KEY_FIX =
  "Take the authority key that the pool publishes for this host and port; a certificate that is expired or not yet valid is the pool's to mend, or this machine's clock is wrong.";

function spoke({ authorityPublicKey }: ServerAddress): Finding[] {
  if (authorityPublicKey !== undefined) return [ok("it speaks Stratum V2, and its key is the one of the URL")];
  const detail = "it speaks Stratum V2; its key was not checked, for the URL has none";
  const fix =
    "Put the pool's authority key behind the port: stratum2+tcp://HOST:PORT/KEY. Without it anybody on the way can take the hash rate.";
  return [{ check: CHECK, result: "warning", detail, fix }];
}

/** No answer of a Noise handshake came: is it Stratum V1, or something else? */
async function withoutNoise(url: ServerAddress, first: Answer): Promise<Finding> {
  const subscribe = '{"id":1,"method":"mining.subscribe","params":["bllvm-stratum-v2"]}\n';
  const isLine = (bytes: Uint8Array): boolean => bytes.length >= MAX_ANSWER || bytes.includes(LINE_END);
  const answer = await exchange(dialTcp, url, new TextEncoder().encode(subscribe), isLine, SV1_MS).catch(
    () => undefined,
  );
  const line = new TextDecoder().decode(answer?.bytes).split("\n")[0]?.trim() ?? "";
  if (/^\{.*"(result|error)"/.test(line)) {
    const detail = "the pool speaks Stratum V1 only";
    const fix =
      "Ask the pool for its Stratum V2 address (another port, mostly), or choose one that has it; in front of a V1 pool SRI's translator is of no use, since it translates miners and not pools.";
    return { check: CHECK, result: "failed", detail, fix };
  }
  const got = first.bytes.length === 0 ? first.reason : `${first.bytes.length} bytes of something else`;
  const detail = `it does not answer the Stratum V2 handshake (${got})`;
  const fix = "Check the port: pools listen for Stratum V1, for TLS and for Stratum V2 on different ones.";
  return { check: CHECK, result: "failed", detail, fix };
}

function handshakeOf({ authorityPublicKey }: ServerAddress): NoiseInitiator {
  const crypto = nodeCrypto({ log: silentLog });
  const key = authorityPublicKey === undefined ? {} : { authorityPublicKey };
  return new NoiseInitiator({ crypto, clock: systemClock, random: systemRandom() }, key);
}

/** What came back, and why nothing more did. */
interface Answer {
  readonly bytes: Uint8Array;
  readonly reason: string;
}

/**
 * Connects, sends `bytes`, and resolves with the answer once it `isEnough`, or with what came within `forMs` or until the other side closed.
 * Rejects when there is no connection.
 */
async function exchange(
  dial: Dial,
  server: ServerAddress,
  bytes: Uint8Array,
  isEnough: (answer: Uint8Array) => boolean,
  forMs: number,
): Promise<Answer> {
  let received = new Uint8Array(0);
  let done: (reason: string) => void = () => undefined;
  const over = new Promise<string>((resolve) => {
    done = resolve;
  });
  const onData = (chunk: Uint8Array): void => {
    received = new Uint8Array(Buffer.concat([received, chunk]));
    if (isEnough(received)) done("it answered");
  };
  const link: Link = await dial(server, { onData, onClose: done }, AbortSignal.timeout(STEP_MS));
  const timer = systemClock.after(forMs, () => done(`no answer within ${forMs / 1000} s`));
  link.write(bytes);
  const reason = await over;
  timer.cancel();
  link.destroy();
  return { bytes: received, reason };
}

function ok(detail: string): Finding {
  return { check: CHECK, result: "ok", detail };
}

function failed(error: unknown, fix: string): Finding {
  return { check: CHECK, result: "failed", detail: describe(error), fix };
}
