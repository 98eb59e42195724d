/** Found aux blocks, and the store and the chain that they go to, scripted. */
import { toDisplayHex } from "../../src/kernel/bytes.ts";
import type { AuxAnswer, FoundAux, FoundAuxStore } from "../../src/merge/found-aux.ts";
import type { GuardedChain } from "../../src/merge/guarded-chain.ts";
import type { Commitment, Outcome, Proof } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { auxWork } from "./aux-work.ts";

let made = 0;

/** A solution of `work` on a chain; `auxPow` says of which family it is. */
export function foundAux(wish: {
  readonly chain?: string;
  readonly work?: AuxWork;
  readonly auxPow?: boolean;
  readonly foundMs?: number;
}): FoundAux {
  const { chain = "namecoin", work = auxWork({ id: "w1" }), auxPow = true, foundMs = 1_700_000_000_000 } = wish;
  made += 1;
  const headerHash = new Uint8Array(32).fill(made);
  headerHash[31] = made >>> 8;
  return {
    key: `${chain}:${work.id}:${toDisplayHex(headerHash)}`,
    chain,
    work,
    proof: {
      work,
      header: new Uint8Array(80).fill(made),
      headerHash,
      coinbase: new Uint8Array(100),
      merkleBranch: [],
      transactionCount: 1,
      auxpow: auxPow ? Uint8Array.of(1) : undefined,
    },
    userIdentity: "finder",
    jobId: 1,
    parentHeight: 840_000,
    foundMs,
  };
}

/** What a daemon says. */
export function says(verdict: Outcome["verdict"], reason = ""): Outcome {
  return { verdict, reason };
}

/** A disk that a test may slow down or break; `steps` is what happened, in order, to the chain too. */
export class FakeStore implements FoundAuxStore {
  readonly steps: string[];
  readonly answers = new Map<string, AuxAnswer>();
  readonly open = new Map<string, FoundAux>();
  /** Called before each write; may reject, or wait. */
  before: (step: string) => Promise<void> = async () => undefined;

  constructor(steps: string[] = []) {
    this.steps = steps;
  }

  async add(found: FoundAux): Promise<void> {
    await this.before(`add ${found.work.id}`);
    this.open.set(found.key, found);
    this.steps.push(`stored ${found.work.id}`);
  }

  async settle(found: FoundAux, answer: AuxAnswer): Promise<void> {
    await this.before(`settle ${found.work.id}`);
    this.open.delete(found.key);
    this.answers.set(found.key, answer);
    this.steps.push(`settled ${found.work.id} ${answer.verdict}`);
  }

  async unsettled(): Promise<readonly FoundAux[]> {
    await this.before("unsettled");
    return [...this.open.values()];
  }
}

/** A chain whose daemon answers as a test says. */
export class FakeChain implements GuardedChain {
  readonly steps: string[];
  readonly submitted: Proof[] = [];
  /** What `submit` does. */
  answer: (proof: Proof) => Promise<Outcome> = async () => says("accepted");
  commitment: (work: AuxWork) => readonly Commitment[] = (work) => [{ kind: "output", script: work.hash }];
  flaw: (proof: Proof) => string | undefined = () => undefined;

  constructor(steps: string[] = []) {
    this.steps = steps;
  }

  commit(work: AuxWork): readonly Commitment[] {
    return this.commitment(work);
  }

  verify(proof: Proof): string | undefined {
    return this.flaw(proof);
  }

  submit(proof: Proof): Promise<Outcome> {
    this.submitted.push(proof);
    this.steps.push(`submitted ${proof.work.id}`);
    return this.answer(proof);
  }
}

/** A promise that a test resolves. */
export function later<T>(): { readonly promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve: (value) => resolve(value), reject: (error) => reject(error) };
}
