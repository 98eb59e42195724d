/**
 * namecoind's RPC of merge mining: createauxblock and submitauxblock, and getauxblock, the wallet's. Errors with its codes
 * and words; a proof that breaks a rule is `false`, and the reason stands in the log only (here at level debug).
 */
import { targetFromCompact, targetToBytes } from "../../bitcoin/target.ts";
import { toHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { bitsHex, type JsonObject } from "../rpc/json.ts";
import { RPC, RpcError } from "../rpc/protocol.ts";
import { hexArgument, param } from "../rpc/table.ts";
import { scriptOfNamecoinAddress } from "./address.ts";
import { type AuxPow, auxPowFlaw, readAuxPow } from "./auxpow.ts";
import { CHAIN_ID, rewardOf } from "./blocks.ts";
import type { BlockDraft } from "./chain.ts";
import type { NamecoinContext, NamecoinMethods } from "./context.ts";

/** Rows by method name. */
export const AUX_METHODS: NamecoinMethods = {
  createauxblock: {
    params: [param("address", "string")],
    run: (context, [address]) => {
      const script = scriptOfNamecoinAddress(String(address));
      if (script === undefined) {
        throw new RpcError(RPC.INVALID_ADDRESS_OR_KEY, "Error: Invalid coinbase payout address");
      }
      return create(context, script);
    },
  },
  submitauxblock: {
    params: [param("hash", "string"), param("auxpow", "string")],
    run: (context, [hash, auxpow]) => submit(context, String(hash), auxpow),
  },
  getauxblock: {
    params: [param("hash?", "string"), param("auxpow?", "string")],
    run: async (context, [hash, auxpow]) => {
      if (hash === undefined) return create(context, context.wallet.script());
      if (auxpow === undefined) throw new RpcError(RPC.MISC_ERROR, "getauxblock (hash auxpow)");
      const isAccepted = await submit(context, String(hash), auxpow);
      // The address stays reserved until a block paid to it.
      if (isAccepted) context.wallet.used();
      return isAccepted;
    },
  },
};

function create(context: NamecoinContext, script: Uint8Array): JsonObject {
  checkNetwork(context);
  const block = context.templates.create(script);
  const { nBits } = block.header;
  return {
    hash: block.key,
    chainid: CHAIN_ID,
    previousblockhash: context.chain.parentOf(block)?.key,
    coinbasevalue: Number(rewardOf(block)),
    bits: bitsHex(nBits),
    height: block.height,
    _target: toHex(targetToBytes(targetFromCompact(nBits))),
  };
}

async function submit(context: NamecoinContext, hash: string, auxpow: unknown): Promise<boolean> {
  checkNetwork(context);
  if (!/^[0-9a-fA-F]{64}$/.test(hash)) throw new RpcError(RPC.INVALID_PARAMETER, "invalid block hash hex");
  const block = context.templates.find(hash.toLowerCase());
  if (block === undefined) throw new RpcError(RPC.INVALID_PARAMETER, "block hash unknown");
  const bytes = hexArgument(auxpow) ?? new Uint8Array(0);
  const proof = decode(bytes);
  if (hash !== block.key) {
    await context.crash("Assertion `shared_block->GetHash ().GetHex () == hashHex' failed");
    return false;
  }
  return processBlock(context, block, proof, bytes.slice(0, proof.size));
}

/** `ProcessNewBlock`: true for every good block, also for one that is known already or loses against the tip. */
function processBlock({ chain, log }: NamecoinContext, block: BlockDraft, proof: AuxPow, bytes: Uint8Array): boolean {
  const target = targetFromCompact(block.header.nBits);
  const flaw = auxPowFlaw(proof, { hash: block.hash, target, chainId: CHAIN_ID, strictChainId: true });
  if (flaw !== undefined) {
    log.debug(`ERROR: ${flaw}`, { hash: block.key });
    return false;
  }
  return chain.add(block, bytes) !== undefined;
}

/** `auxMiningCheck`; a real node leaves it out on regtest. */
function checkNetwork({ disturbances }: NamecoinContext): void {
  if (disturbances.notConnected) throw new RpcError(RPC.CLIENT_NOT_CONNECTED, "Namecoin is not connected!");
  if (disturbances.initialBlockDownload) {
    throw new RpcError(RPC.CLIENT_IN_INITIAL_DOWNLOAD, "Namecoin is downloading blocks...");
  }
}

function decode(bytes: Uint8Array): AuxPow {
  try {
    return readAuxPow(bytes);
  } catch (error) {
    if (error instanceof Fault) throw new RpcError(RPC.MISC_ERROR, `${streamError(error)}: iostream error`);
    throw error;
  }
}

function streamError({ code, data }: Fault): string {
  if (code === "bytes-truncated") return "DataStream::read(): end of data";
  if (code === "compact-size-invalid") {
    return Number(data.value) > 0x0200_0000 ? "ReadCompactSize(): size too large" : "non-canonical ReadCompactSize()";
  }
  return data.flags === undefined ? "Superfluous witness record" : "Unknown transaction optional data";
}
