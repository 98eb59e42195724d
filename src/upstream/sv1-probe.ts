/** Whether a server that does not answer the Stratum V2 handshake speaks Stratum V1: the most frequent mistake with a pool's address. */
import type { Dial } from "../client/link.ts";
import type { ServerAddress } from "../client/url.ts";
import { withSignals } from "../kernel/abort.ts";
import { concat, fromUtf8, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";

/** A pool of Stratum V1 answers its first line at once, ms. */
const ANSWER_MS = 3_000;

/** Bytes of an answer that are looked at. */
const MAX_ANSWER = 4096;

const LINE_END = 0x0a;

const SUBSCRIBE = utf8('{"id":1,"method":"mining.subscribe","params":["bllvm-stratum-v2"]}\n');

/** What a probe works with. */
export interface ProbeDeps {
  readonly clock: Pick<Clock, "after">;
  readonly dial: Dial;
}

/** Whether `answer` begins as a line of Stratum V1 does. */
export function isStratumV1(answer: Uint8Array): boolean {
  const line = fromUtf8(answer.subarray(0, MAX_ANSWER)).split("\n")[0]?.trim() ?? "";
  return /^\{.*"(result|error|method)"/.test(line);
}

/** Asks a server in Stratum V1 and looks whether it answers in it. Never rejects; `false` when it does not answer at all. */
export async function speaksStratumV1(deps: ProbeDeps, server: ServerAddress, signal?: AbortSignal): Promise<boolean> {
  const late = new AbortController();
  const timer = deps.clock.after(ANSWER_MS, () => late.abort(new Error("no answer")));
  try {
    const answer = await withSignals([signal, late.signal], (over) => firstLine(deps.dial, server, over));
    return isStratumV1(answer);
  } catch {
    return false;
  } finally {
    timer.cancel();
  }
}

/** What came back until the end of a line, of the stream, or of our patience. */
async function firstLine(dial: Dial, server: ServerAddress, over: AbortSignal): Promise<Uint8Array> {
  let answer: Uint8Array = new Uint8Array(0);
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const onData = (bytes: Uint8Array): void => {
    answer = concat(answer, bytes.subarray(0, MAX_ANSWER - answer.length));
    if (answer.length >= MAX_ANSWER || answer.includes(LINE_END)) finish();
  };
  const link = await dial(server, { onData, onClose: finish }, over);
  over.addEventListener("abort", finish, { once: true });
  if (over.aborted) finish();
  link.write(SUBSCRIBE);
  await finished;
  over.removeEventListener("abort", finish);
  link.destroy();
  return answer;
}
