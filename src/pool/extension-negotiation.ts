/** What a server answers to RequestExtensions (extension 0x0001, sv2-spec extensions/0x0001 §4). */
import { EXTENSIONS_NEGOTIATION_TYPE } from "../sv2/messages/extensions.ts";

/** Which extensions a server speaks and which it insists on. */
export interface ExtensionOffer {
  /** Extension types that may be used, 0x0001 not being named. */
  readonly supported: readonly number[];
  /** Extension types without which the client is disconnected; a subset of `supported`. */
  readonly required: readonly number[];
}

/** The answer: Success with what both sides will use, or Error with what is lacking on either side. */
export type ExtensionAnswer =
  | { readonly kind: "success"; readonly accepted: readonly number[] }
  | { readonly kind: "error"; readonly unsupported: readonly number[]; readonly missing: readonly number[] };

/**
 * Judges a request. Partial support is a success with the subset; it is an error when nothing of a request is supported
 * or when something required was not requested. Order and repetitions of the request do not matter. 0x0001 itself is
 * confirmed when asked for, since whoever reads this answer is using it.
 */
export function negotiate(requested: readonly number[], offer: ExtensionOffer): ExtensionAnswer {
  const asked = new Set(requested);
  const speaks = new Set([EXTENSIONS_NEGOTIATION_TYPE, ...offer.supported]);
  const accepted = [...asked].filter((type) => speaks.has(type));
  const missing = missingExtensions(accepted, offer);
  if (missing.length > 0 || (asked.size > 0 && accepted.length === 0)) {
    return { kind: "error", unsupported: [...asked].filter((type) => !speaks.has(type)), missing };
  }
  return { kind: "success", accepted };
}

/** Required extensions that `accepted` lacks; requiring 0x0001 means that some negotiation must have taken place. */
export function missingExtensions(accepted: readonly number[], offer: ExtensionOffer): number[] {
  return offer.required.filter((type) => type !== EXTENSIONS_NEGOTIATION_TYPE && !accepted.includes(type));
}
