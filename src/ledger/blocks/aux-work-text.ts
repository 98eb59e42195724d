/**
 * Aux work as text for the database and back: a chain's plugin is asked for a block's status with the work as it was offered, also after a
 * restart. JSON with bytes as hex and bigints in decimal.
 */
import { z } from "zod";
import { fromHex, toHex } from "../../kernel/bytes.ts";
import type { AuxWork } from "../../mining/aux.ts";

/** Characters that a text may have: `details` have 64 KiB at most, ids and parents 256 characters. */
export const MAX_AUX_WORK_TEXT = 128 * 1024;

const natural = z.string().regex(/^\d{1,80}$/);
const schema = z.object({
  id: z.string().min(1).max(256),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  parent: z.string().min(1).max(256),
  height: z.int().min(0),
  target: natural,
  value: natural.nullable(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** `work` as text; `undefined` when it would be longer than `MAX_AUX_WORK_TEXT`. */
export function auxWorkToText({ id, hash, parent, height, target, value, details }: AuxWork): string | undefined {
  const file: z.input<typeof schema> = {
    id,
    hash: toHex(hash),
    parent,
    height,
    target: String(target),
    value: value === undefined ? null : String(value),
    details: { ...details },
  };
  const text = JSON.stringify(file);
  return text.length > MAX_AUX_WORK_TEXT ? undefined : text;
}

/** The work of a text; `undefined` for one that is none. */
export function auxWorkFromText(text: string): AuxWork | undefined {
  if (text.length > MAX_AUX_WORK_TEXT) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) return undefined;
  const { hash, target, value: pays, details, ...rest } = parsed.data;
  return Object.freeze({
    ...rest,
    hash: fromHex(hash),
    target: BigInt(target),
    value: pays === null ? undefined : BigInt(pays),
    details: Object.freeze(details),
  });
}
