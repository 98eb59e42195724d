/** The jobs of the bench's pool for Stratum V1: of the same template, tag and payout as the SV2 server's (`bench-server.ts`). */
import { buildJob, type Job } from "../../../src/mining/job.ts";
import type { Template } from "../../../src/mining/template.ts";
import { BENCH_TAG, benchPayout } from "../bench-server.ts";
import { START_MS } from "./day.ts";

/** A job of `template` made `atMs` after the start, with room for an extranonce of `extranonceSize` bytes. */
export function jobOf(template: Template, atMs: number, extranonceSize: number): Job {
  const nowMs = START_MS + atMs;
  return buildJob({ template, payout: benchPayout, tag: BENCH_TAG, jobId: 0, nowMs, extranonceSize });
}
