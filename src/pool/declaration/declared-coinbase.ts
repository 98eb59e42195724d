/** The coinbase of DeclareMiningJob (spec 6.4.4): two halves with BIP141's marker, flag and witness, and an extranonce between them that ends the scriptSig. */
import { MAX_COINBASE_SCRIPT, readHeightPush } from "../../bitcoin/coinbase.ts";
import { isCoinbase, parseTransaction, type TxOutput } from "../../bitcoin/transaction.ts";
import { concat } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { type DeclareMiningJobErrorCode, DECLARE_MINING_JOB_ERROR as ERROR } from "../../sv2/codes.ts";

/** Bytes in front of the script's length: version, count of inputs, outpoint. */
const BEFORE_SCRIPT = 4 + 1 + 36;

/** Such a coinbase. Its arrays are nobody else's. */
export interface DeclaredCoinbase {
  /** The halves without marker, flag and witness. */
  readonly prefix: Uint8Array;
  readonly suffix: Uint8Array;
  readonly extranonceSize: number;
  /** Stack of the input. */
  readonly witness: readonly Uint8Array[];
  readonly outputs: readonly TxOutput[];
  /** What the scriptSig begins with (BIP34). */
  readonly height: number;
}

/** Why a coinbase is refused: the code, and words for the client. */
export interface DeclaredCoinbaseFlaw {
  readonly errorCode: DeclareMiningJobErrorCode;
  readonly details: string;
}

/** The coinbase, or what is wrong with it. Never throws for any bytes. */
export function declaredCoinbase(prefix: Uint8Array, suffix: Uint8Array): DeclaredCoinbase | DeclaredCoinbaseFlaw {
  const wrong = (details: string): DeclaredCoinbaseFlaw => ({ errorCode: ERROR.invalidCoinbaseTx, details });
  const isMarked = prefix[4] === 0 && prefix[5] === 1;
  const at = BEFORE_SCRIPT + (isMarked ? 2 : 0);
  const length = prefix[at];
  if (length === undefined || length > MAX_COINBASE_SCRIPT)
    return wrong("the prefix holds no scriptSig of 100 bytes at most");
  const extranonceSize = length - (prefix.length - at - 1);
  if (extranonceSize < 1) return wrong("the scriptSig has no room for an extranonce");
  const whole = concat(prefix, new Uint8Array(extranonceSize), suffix);
  try {
    const tx = parseTransaction(whole);
    if (!isCoinbase(tx)) return { errorCode: ERROR.invalidCoinbaseTxInput, details: "its input is not a coinbase's" };
    const [input] = tx.inputs;
    const height = readHeightPush(input?.script ?? new Uint8Array(0));
    if (height === undefined) return { errorCode: ERROR.invalidCoinbaseTxInput, details: "no height in the scriptSig" };
    const witness = (input?.witness ?? []).map((item) => item.slice());
    return {
      prefix: isMarked ? concat(prefix.subarray(0, 4), prefix.subarray(6)) : prefix.slice(),
      suffix: isMarked ? withoutWitness(suffix, witness) : suffix.slice(),
      extranonceSize,
      witness,
      outputs: tx.outputs.map(({ value, script }) => ({ value, script: script.slice() })),
      height,
    };
  } catch (error) {
    if (error instanceof Fault) return wrong(error.message);
    throw error;
  }
}

/** The witness stands right before the lock time, which is all that follows. */
function withoutWitness(suffix: Uint8Array, witness: readonly Uint8Array[]): Uint8Array {
  const size = witness.reduce((sum, { length }) => sum + (length < 0xfd ? 1 : 3) + length, 1);
  return concat(suffix.subarray(0, suffix.length - 4 - size), suffix.subarray(-4));
}
