/**
 * What a coinbase that is not ours must hold to count for chains: handed to clients that make coinbases of their own, with a token of job declaration or by
 * extension 0x4d4d, and taken from a server by us where we are such a client.
 */
import type { TxOutput } from "../bitcoin/transaction.ts";
import { concat, equal } from "../kernel/bytes.ts";
import type { AuxRules } from "../mining/aux.ts";
import type { Commitments } from "../mining/job.ts";
import { type MERGE_MINING, NO_LIMIT_AFTER } from "../sv2/messages/merge-mining.ts";
import type { Value } from "../sv2/table.ts";
import { AUX_COMMITMENT_SIZE, AUXPOW_MAGIC } from "./auxpow/tree.ts";
import { MAX_SCRIPT } from "./shapes.ts";

/** What a coinbase has to hold. Frozen. */
export interface LiveCommitments {
  /** Counts up with every change. */
  readonly id: bigint;
  /** The chains that a coinbase with all of it counts for. */
  readonly chains: readonly string[];
  /** Bytes that are to stand in the scriptSig: the push with its opcode, 45 bytes; empty for none. */
  readonly scriptSig: Uint8Array;
  /** Outputs of 0 sat in the order in which they are to stand, behind all that pays and right before the template's own. */
  readonly outputs: readonly AuxRules[];
}

/** How much of a coinbase commitments may take. */
export interface CommitmentRoom {
  /** Bytes of the scriptSig. */
  readonly scriptSigBytes: number;
  /** Bytes of serialised outputs. */
  readonly outputBytes: number;
}

/** A message `Commitments` of extension 0x4d4d. */
export type CommitmentsMessage = Value<typeof MERGE_MINING.Commitments>;

/** Most outputs that we take from a server: several chains' at the most that each may have. */
const MAX_TAKEN_OUTPUTS = 64;

/** As the message says it, for the subscription `requestId`. */
export function commitmentsMessage(live: LiveCommitments, requestId: number): CommitmentsMessage {
  const none = new Uint8Array(0);
  return {
    requestId,
    commitmentsId: live.id,
    chains: live.chains,
    scriptSig: live.scriptSig,
    outputScripts: live.outputs.map(({ script }) => script),
    maxBytesAfter: live.outputs.map(({ maxBytesAfter }) => maxBytesAfter ?? NO_LIMIT_AFTER),
    firstMarks: live.outputs.map(({ first }) => first ?? none),
    lastMarks: live.outputs.map(({ last }) => last ?? none),
    forbiddenMarks: live.outputs.map(({ forbid }) => forbid ?? none),
  };
}

/** What a message says, copied; or a clause with what is wrong with it. */
export function liveCommitmentsOf(message: CommitmentsMessage): LiveCommitments | string {
  const { outputScripts, maxBytesAfter, firstMarks, lastMarks, forbiddenMarks, scriptSig, chains } = message;
  const count = outputScripts.length;
  if (count > MAX_TAKEN_OUTPUTS) return `${count} outputs, ${MAX_TAKEN_OUTPUTS} at most`;
  if ([maxBytesAfter, firstMarks, lastMarks, forbiddenMarks].some(({ length }) => length !== count)) {
    return "its lists about outputs have different lengths";
  }
  const isPush =
    scriptSig.length === 1 + AUX_COMMITMENT_SIZE &&
    scriptSig[0] === AUX_COMMITMENT_SIZE &&
    equal(scriptSig.subarray(1, 1 + AUXPOW_MAGIC.length), AUXPOW_MAGIC);
  if (scriptSig.length > 0 && !isPush) return "its scriptSig is no push of an AuxPoW commitment";
  if (outputScripts.some(({ length }) => length === 0 || length > MAX_SCRIPT)) {
    return `a script has not 1 to ${MAX_SCRIPT} bytes`;
  }
  const mark = (name: "first" | "last" | "forbid", bytes: Uint8Array | undefined): Partial<AuxRules> =>
    bytes === undefined || bytes.length === 0 ? {} : { [name]: bytes.slice() };
  return Object.freeze({
    id: message.commitmentsId,
    chains: Object.freeze([...chains]),
    scriptSig: scriptSig.slice(),
    outputs: Object.freeze(
      outputScripts.map((script, i): AuxRules => {
        const after = maxBytesAfter[i] ?? NO_LIMIT_AFTER;
        return Object.freeze({
          script: script.slice(),
          ...(after === NO_LIMIT_AFTER ? {} : { maxBytesAfter: after }),
          ...mark("first", firstMarks[i]),
          ...mark("last", lastMarks[i]),
          ...mark("forbid", forbiddenMarks[i]),
        });
      }),
    ),
  });
}

/** The same for a job of ours: the builder of jobs makes the push itself. */
export function commitmentsOf({ scriptSig, outputs }: LiveCommitments): Commitments {
  const made: readonly TxOutput[] = outputs.map(({ script }) => ({ value: 0n, script }));
  return scriptSig.length === 0 ? { outputs: made } : { scriptSig: scriptSig.subarray(1), outputs: made };
}

/** The push of an AuxPoW commitment, `Uint8Array(44)`, with its opcode. */
export function pushOfCommitment(commitment: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(commitment.length), commitment);
}
