/**
 * IP addresses as numbers, so that limits can be counted by address or by network. IPv4 addresses are held as their
 * IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2): a dual-stack socket reports them that way, and one peer must not count
 * as two.
 */
import { Fault } from "../kernel/fault.ts";

const V4_MAPPED = 0xffffn << 32n;

/** A range of addresses: `address >> (128 - bits)` is the same for all of them. */
export interface Network {
  /** First address of the range, 128 bits. */
  readonly base: bigint;
  /** Length of the common prefix, 0 to 128. */
  readonly bits: number;
}

/**
 * The 128-bit number of an IPv4 or IPv6 address in text; a zone (`%eth0`) is dropped. `undefined` when `text` is not
 * an address.
 */
export function parseIp(text: string): bigint | undefined {
  if (!text.includes(":")) {
    const v4 = parseV4(text);
    return v4 === undefined ? undefined : V4_MAPPED | v4;
  }
  return parseV6(text.split("%", 1)[0] ?? "");
}

/** Whether a parsed address is IPv4. */
export function isV4(ip: bigint): boolean {
  return ip >> 32n === 0xffffn;
}

/**
 * What one subscriber can be assumed to hold, as a key for counting: the address for IPv4, the /64 for IPv6 (one host
 * picks freely among its 2^64 addresses, RFC 4862).
 */
export function subscriberKey(ip: bigint): bigint {
  return isV4(ip) ? ip : ip >> 64n;
}

/**
 * The network of `10.0.0.0/8`, `2001:db8::/32` or a single address. Throws `Fault("network-invalid")` when `text` is
 * none of these or has bits set behind its prefix, which would silently mean another network than the reader thinks.
 */
export function parseNetwork(text: string): Network {
  const [address = "", length, more] = text.split("/");
  const base = parseIp(address);
  if (base === undefined || more !== undefined) throw new Fault("network-invalid", { network: text });
  const width = address.includes(":") ? 128 : 32;
  if (length === undefined) return { base, bits: 128 };
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(prefix <= width)) throw new Fault("network-invalid", { network: text });
  const bits = prefix + (128 - width);
  if (base & ((1n << BigInt(128 - bits)) - 1n)) throw new Fault("network-invalid", { network: text });
  return { base, bits };
}

/** Whether `ip` lies in `network`. */
export function contains(network: Network, ip: bigint): boolean {
  const shift = BigInt(128 - network.bits);
  return ip >> shift === network.base >> shift;
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? "", halves.length === 1);
  const tail = groups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group; without it all eight must be there.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...new Array<bigint>(missing).fill(0n), ...tail]) value = (value << 16n) | group;
  return value;
}

/** 16-bit groups of one side of `::`; where the address ends, a dotted IPv4 address counts as two. */
function groups(text: string, last: boolean): bigint[] | undefined {
  if (text === "") return [];
  const found: bigint[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      found.push(BigInt(`0x${part}`));
      continue;
    }
    const v4 = last && i === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 === undefined) return undefined;
    found.push(v4 >> 16n, v4 & 0xffffn);
  }
  return found;
}
