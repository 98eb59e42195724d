/**
 * Templates as they are served, under numbers that are not used again: one for all clients that need as much room. Those of an older tip are stale, and
 * remembered a while, for a block may still be found on one.
 */
import { equal } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { TemplateCause } from "../../mining/ports.ts";
import type { Template } from "../../mining/template.ts";
import { type OutputRoom, roomyTemplate } from "./roomy-template.ts";

/** Templates that are remembered. */
const MAX_REMEMBERED = 128;

/** Numbers in one millisecond: the first of a new process is beyond those of the one before it. */
const NUMBERS_IN_MS = 1000n;

/** A template under its number. */
export interface ServedTemplate {
  readonly templateId: bigint;
  readonly template: Template;
}

/** What `ServedTemplates` works with. */
export interface ServedTemplatesDeps {
  readonly clock: Pick<Clock, "nowMs">;
}

/** The numbers. */
export class ServedTemplates {
  /** The oldest first. */
  readonly #byId = new Map<bigint, Template>();
  /** What was made of the newest template, by room. */
  readonly #made = new Map<string, ServedTemplate | undefined>();
  #newest: Template | undefined;
  #lastId: bigint;

  constructor({ clock }: ServedTemplatesDeps) {
    this.#lastId = BigInt(Math.floor(clock.nowMs())) * NUMBERS_IN_MS;
  }

  /** The newest template; `undefined` before the first. */
  get newest(): Template | undefined {
    return this.#newest;
  }

  /** Another template came. Returns whether it is on another tip than the one before. */
  use(template: Template): Extract<TemplateCause, "newBlock" | "refresh"> {
    const before = this.#newest;
    this.#newest = template;
    this.#made.clear();
    return before !== undefined && equal(before.prevHash, template.prevHash) && before.nBits === template.nBits
      ? "refresh"
      : "newBlock";
  }

  /** The newest template with so much room; `undefined` while there is none, or where it cannot have it. */
  withRoom(room: OutputRoom): ServedTemplate | undefined {
    if (this.#newest === undefined) return undefined;
    const key = `${room.bytes} ${room.sigops}`;
    if (!this.#made.has(key)) {
      const template = roomyTemplate(this.#newest, room);
      // Most need no more than the node left, and share what it gave.
      const same = [...this.#made.values()].find((served) => served?.template === template);
      this.#made.set(key, same ?? (template === undefined ? undefined : this.#number(template)));
    }
    return this.#made.get(key);
  }

  /** A template by its number, and whether it is of an older tip; `undefined` for one that was never served or is forgotten. */
  find(templateId: bigint): { readonly template: Template; readonly isStale: boolean } | undefined {
    const template = this.#byId.get(templateId);
    if (template === undefined) return undefined;
    return { template, isStale: this.#newest === undefined || !equal(this.#newest.prevHash, template.prevHash) };
  }

  #number(template: Template): ServedTemplate {
    this.#lastId += 1n;
    const templateId = this.#lastId;
    this.#byId.set(templateId, template);
    for (const oldest of this.#byId.keys()) {
      if (this.#byId.size <= MAX_REMEMBERED) break;
      this.#byId.delete(oldest);
    }
    return { templateId, template };
  }
}
