/**
 * Output descriptors without keys: `addr(...)` and `raw(...)` (BIP380, BIP385), with Core's checksum. Those with keys are
 * refused with advice, since the server derives no keys.
 */
import { fromHex } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { scriptOfAddress } from "./address.ts";
import type { NetworkName } from "./network.ts";

const INPUT_CHARSET =
  "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
const CHECKSUM_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0xf5dee51989n, 0xa9fdca3312n, 0x1bab10e32dn, 0x3706b1677an, 0x644d626ffdn] as const;

/** Longest descriptor looked at: a raw script of 10,000 bytes and its frame. */
const MAX_DESCRIPTOR_LENGTH = 20_100;

/**
 * The scriptPubKey that `text` stands for: a plain address, `addr(ADDRESS)` or `raw(HEX)`, the latter two with or without
 * `#checksum`. Throws `Fault("descriptor-invalid")` with the cause in words, and `Fault("address-invalid")` for an address.
 */
export function scriptOfDescriptor(text: string, network: NetworkName): Uint8Array {
  const trimmed = text.trim();
  if (trimmed.length > MAX_DESCRIPTOR_LENGTH) throw invalid(trimmed, "it is too long");
  const [body = "", checksum, ...more] = trimmed.split("#");
  if (checksum !== undefined || more.length > 0) verify(trimmed, body, checksum, more.length);
  const call = /^([a-z_]+)\((.*)\)$/.exec(body);
  if (call === null) {
    if (checksum !== undefined) throw invalid(trimmed, "only addr(...) and raw(...) can have a checksum");
    return scriptOfAddress(body, network);
  }
  const [, name, argument = ""] = call;
  if (name === "addr") return scriptOfAddress(argument, network);
  if (name !== "raw") throw invalid(trimmed, `${name}(...) is not supported`);
  try {
    return fromHex(argument);
  } catch (cause) {
    throw new Fault("descriptor-invalid", { descriptor: trimmed.slice(0, 80), cause: "raw() wants hex" }, { cause });
  }
}

/** The eight characters behind `#` for `descriptor` without one (BIP380). Throws `Fault("descriptor-invalid")`. */
export function descriptorChecksum(descriptor: string): string {
  let polymod = 1n;
  const feed = (value: number): void => {
    const top = polymod >> 35n;
    polymod = ((polymod & 0x7ffffffffn) << 5n) ^ BigInt(value);
    for (let i = 0; i < 5; i++) if ((top >> BigInt(i)) & 1n) polymod ^= GENERATOR[i] as bigint;
  };
  let groups = 0;
  let grouped = 0;
  for (const character of descriptor) {
    const position = INPUT_CHARSET.indexOf(character);
    if (position < 0) throw invalid(descriptor, `it has the character ${JSON.stringify(character)}`);
    feed(position & 31);
    groups = groups * 3 + (position >> 5);
    if (++grouped === 3) {
      feed(groups);
      groups = 0;
      grouped = 0;
    }
  }
  if (grouped > 0) feed(groups);
  for (let i = 0; i < 8; i++) feed(0);
  polymod ^= 1n;
  let checksum = "";
  for (let i = 7; i >= 0; i--) checksum += CHECKSUM_CHARSET.charAt(Number((polymod >> BigInt(5 * i)) & 31n));
  return checksum;
}

function verify(text: string, body: string, checksum: string | undefined, more: number): void {
  if (more > 0) throw invalid(text, "it has more than one #");
  if (checksum?.length !== 8) throw invalid(text, "a checksum has 8 characters");
  const expected = descriptorChecksum(body);
  if (checksum !== expected) throw invalid(text, `its checksum should be ${expected}`);
}

function invalid(descriptor: string, cause: string): Fault {
  return new Fault("descriptor-invalid", { descriptor: descriptor.slice(0, 80), cause });
}
