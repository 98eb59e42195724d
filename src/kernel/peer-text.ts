/** Text that a peer chose, on its way into a log: no control characters (terminals obey them), no novel. */

/** `text` with control characters replaced by `?` and cut to 64 characters. */
export function peerText(text: string): string {
  const cut = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  return cut.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
