/**
 * Stratum V1 as it is spelled on the wire. `RECORDED` is what cpuminer-opt 26.1 and ckpool said to each other in a minute that was
 * recorded on regtest: their spaces, the order of their keys, ids that are not counted, a bech32 address as user. ckpool's jobs on
 * regtest have no branches, here they have the template's. A late share was not among them; its answer has the form of the
 * error that was. `TERSE` is the shortest that is still Stratum V1 (slush's documentation): no spaces, a short user, four bytes of extranonce2.
 */
import { toHex } from "../../../src/kernel/bytes.ts";
import type { Job } from "../../../src/mining/job.ts";

/** What a share is submitted with. */
export interface Sv1Share {
  readonly jobId: string;
  readonly ntime: string;
  readonly nonce: string;
}

/** What mining.notify tells of a job. */
export type NotifiedJob = Pick<
  Job,
  "prevHash" | "coinbasePrefix" | "coinbaseSuffix" | "merklePath" | "version" | "nBits" | "minTime"
>;

/** One way of spelling. All lines are without their newline. */
export interface Sv1Dialect {
  readonly name: string;
  /** Bytes that the coinbase leaves to pool and miner. */
  readonly extranonceSize: number;
  /** The miner's lines after connecting, in order; the pool answers each with the line at the same place. */
  readonly opening: readonly (readonly [miner: string, pool: string])[];
  jobId(count: number): string;
  difficulty(difficulty: number): string;
  notify(job: NotifiedJob, jobId: string, clean: boolean): string;
  submit(share: Sv1Share): string;
  readonly accepted: string;
  readonly late: string;
}

const hex8 = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

/** The parameters of mining.notify, which all pools agree on. */
function notifyParams(job: NotifiedJob, jobId: string, clean: boolean): unknown[] {
  const { prevHash, coinbasePrefix, coinbaseSuffix, merklePath, version, nBits, minTime } = job;
  // SV1 has the bytes of each word of the hash reversed.
  const words = Buffer.from(prevHash).swap32().toString("hex");
  const branches = merklePath.map(toHex);
  const coinbase = [toHex(coinbasePrefix), toHex(coinbaseSuffix)];
  return [jobId, words, ...coinbase, branches, hex8(version), hex8(nBits), hex8(minTime), clean];
}

const RECORDED_USER = "bcrt1qs7mj32z39df0sxxph0ttz2cy5ule3fxznftyep.rig1";

/** cpuminer-opt and ckpool as recorded. */
export const RECORDED: Sv1Dialect = {
  name: "as recorded",
  extranonceSize: 12,
  opening: [
    [
      '{"id": 1, "method": "mining.subscribe", "params": ["cpuminer-opt-26.1-x64L"]}',
      '{"result":[[["mining.notify","6b02e8d3"]],"d3e8026b",8],"id":1,"error":null}',
    ],
    [
      `{"id": 2, "method": "mining.authorize", "params": ["${RECORDED_USER}", "x"]}`,
      '{"result":true,"error":null,"id":2}',
    ],
    [
      '{"id": 3, "method": "mining.extranonce.subscribe", "params": []}',
      '{"result":null,"error":[20,"Not supported.",null],"id":3}',
    ],
  ],
  jobId: (count) => `6b02e8d2${hex8(count)}`,
  difficulty: (difficulty) => JSON.stringify({ params: [difficulty], id: null, method: "mining.set_difficulty" }),
  notify: (job, jobId, clean) =>
    JSON.stringify({ params: notifyParams(job, jobId, clean), id: null, method: "mining.notify" }),
  submit: ({ jobId, ntime, nonce }) =>
    `{"method": "mining.submit", "params": ["${RECORDED_USER}", "${jobId}", "0000000000000000", "${ntime}", "${nonce}"], "id":4}`,
  accepted: '{"result":true,"error":null,"id":4}',
  late: '{"result":null,"error":[21,"Stale",null],"id":4}',
};

/** The shortest. */
export const TERSE: Sv1Dialect = {
  name: "terse",
  extranonceSize: 8,
  opening: [
    [
      '{"id":1,"method":"mining.subscribe","params":[]}',
      '{"id":1,"result":[[["mining.notify","1"]],"d3e8026b",4],"error":null}',
    ],
    ['{"id":2,"method":"mining.authorize","params":["slush.m1","x"]}', '{"id":2,"result":true,"error":null}'],
  ],
  jobId: (count) => count.toString(16),
  difficulty: (difficulty) => JSON.stringify({ id: null, method: "mining.set_difficulty", params: [difficulty] }),
  notify: (job, jobId, clean) =>
    JSON.stringify({ id: null, method: "mining.notify", params: notifyParams(job, jobId, clean) }),
  submit: ({ jobId, ntime, nonce }) =>
    `{"id":4,"method":"mining.submit","params":["slush.m1","${jobId}","00000000","${ntime}","${nonce}"]}`,
  accepted: '{"id":4,"result":true,"error":null}',
  late: '{"id":4,"result":null,"error":[21,"Stale",null]}',
};
