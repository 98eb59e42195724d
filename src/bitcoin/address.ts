/** Addresses: base58check (P2PKH, P2SH), bech32 (BIP173, witness version 0) and bech32m (BIP350, versions 1 to 16). */
import { bech32, bech32m, createBase58check } from "@scure/base";
import { concat } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { sha256 } from "./hash.ts";
import { NETWORKS, type Network, type NetworkName } from "./network.ts";
import { OP, publicKeyHash, pushBytes, scriptHash, witnessProgram } from "./script.ts";

const base58check = createBase58check((bytes: Uint8Array) => Uint8Array.from(sha256(bytes)));

/** Longest text looked at; the longest valid address has 90 characters. */
const MAX_ADDRESS_LENGTH = 128;

/**
 * The scriptPubKey that pays to `address` on `network`. Throws `Fault("address-invalid")` with the cause in words, and
 * with `belongsTo` when the address is good but of another network.
 */
export function scriptOfAddress(address: string, network: NetworkName): Uint8Array {
  if (address.length > MAX_ADDRESS_LENGTH) throw invalid(address, "it is too long for an address");
  const found = decode(address);
  if (found.fits(NETWORKS[network])) return found.script;
  const others = Object.values(NETWORKS).filter(found.fits);
  if (others.length === 0) throw invalid(address, "its prefix belongs to no Bitcoin network");
  throw new Fault("address-invalid", {
    address,
    cause: `it does not belong to ${network}`,
    belongsTo: others.map((other) => other.name).join(" or "),
  });
}

/**
 * The address of `script` on `network`: P2PKH, P2SH, or a witness program of version 0 to 16; `undefined` for every other
 * script.
 */
export function addressOfScript(script: Uint8Array, network: NetworkName): string | undefined {
  const { hrp, p2pkhVersion, p2shVersion } = NETWORKS[network];
  const keyHash = publicKeyHash(script);
  if (keyHash !== undefined) return base58check.encode(concat(Uint8Array.of(p2pkhVersion), keyHash));
  const hash = scriptHash(script);
  if (hash !== undefined) return base58check.encode(concat(Uint8Array.of(p2shVersion), hash));
  const witness = witnessProgram(script);
  if (witness === undefined || !programFits(witness.version, witness.program.length)) return undefined;
  const words = [witness.version, ...bech32.toWords(Uint8Array.from(witness.program))];
  return witness.version === 0 ? bech32.encode(hrp, words) : bech32m.encode(hrp, words);
}

interface Decoded {
  readonly script: Uint8Array;
  readonly fits: (network: Network) => boolean;
}

function decode(address: string): Decoded {
  const hrp = address.slice(0, Math.max(0, address.lastIndexOf("1"))).toLowerCase();
  const isWitness = Object.values(NETWORKS).some((network) => network.hrp === hrp);
  return isWitness ? decodeWitness(address, hrp) : decodeBase58(address);
}

function decodeBase58(address: string): Decoded {
  let data: Uint8Array;
  try {
    data = base58check.decode(address);
  } catch {
    throw invalid(address, "it is neither bech32 nor base58 with a correct checksum; one character may be mistyped");
  }
  const [version] = data;
  const hash = data.subarray(1);
  if (hash.length !== 20) throw invalid(address, `it carries ${hash.length} bytes instead of a 20-byte hash`);
  const isKeyHash = Object.values(NETWORKS).some((network) => network.p2pkhVersion === version);
  return isKeyHash
    ? {
        script: concat(
          Uint8Array.of(OP.OP_DUP, OP.OP_HASH160),
          pushBytes(hash),
          Uint8Array.of(OP.OP_EQUALVERIFY, OP.OP_CHECKSIG),
        ),
        fits: (network) => network.p2pkhVersion === version,
      }
    : {
        script: concat(Uint8Array.of(OP.OP_HASH160), pushBytes(hash), Uint8Array.of(OP.OP_EQUAL)),
        fits: (network) => network.p2shVersion === version,
      };
}

function decodeWitness(address: string, hrp: string): Decoded {
  const plain = bech32.decodeUnsafe(address, 90);
  const decoded = plain ?? bech32m.decodeUnsafe(address, 90);
  if (decoded === undefined) throw invalid(address, "its bech32 checksum or spelling is wrong");
  const [version, ...words] = decoded.words;
  if (version === undefined) throw invalid(address, "it carries no data");
  if (version > 16) throw invalid(address, `there is no witness version ${version}`);
  if (version === 0 && plain === undefined)
    throw invalid(address, "witness version 0 wants a bech32 checksum (BIP173)");
  if (version !== 0 && plain !== undefined) {
    throw invalid(address, `witness version ${version} wants a bech32m checksum (BIP350)`);
  }
  const program = bech32.fromWordsUnsafe(words);
  if (program === undefined) throw invalid(address, "its padding is not zero");
  if (!programFits(version, program.length)) {
    throw invalid(address, `a witness program of version ${version} cannot have ${program.length} bytes`);
  }
  const opcode = version === 0 ? OP.OP_0 : OP.OP_1 + version - 1;
  return { script: concat(Uint8Array.of(opcode), pushBytes(program)), fits: (network) => network.hrp === hrp };
}

/** BIP141 and BIP173: 2 to 40 bytes, version 0 only 20 or 32. */
function programFits(version: number, size: number): boolean {
  return version === 0 ? size === 20 || size === 32 : size >= 2 && size <= 40;
}

function invalid(address: string, cause: string): Fault {
  return new Fault("address-invalid", { address: address.slice(0, MAX_ADDRESS_LENGTH), cause });
}
