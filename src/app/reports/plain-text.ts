/**
 * Text that miners chose, user identities above all, made fit for a terminal, a table or a spreadsheet. An identity may hold any bytes up to 255: escape
 * sequences that repaint a terminal, marks that turn the direction of writing, line breaks, formulas.
 */

/** Controls, line and paragraph separators, marks that are not seen or turn the direction of writing, and halves of surrogate pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** `text` with everything that is not seen written out: `\u{1b}[31m`. A backslash stays what it is: this is to be read, not to be read back. */
export function plainText(text: string): string {
  return text.replaceAll(UNSEEN, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}

/** `text` cut to `width` characters as people count them, with an ellipsis where something is missing. */
export function cutText(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join("")}…`;
}

/** Columns that `text` takes on a terminal, as most terminals draw it: two for East Asian characters and emoji, none for combining marks. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

/** A JSON text in which nothing is unseen: what `plainText` writes out is escaped as JSON has it, so that the values stay the same. */
export function plainJson(json: string): string {
  // Outside of its strings JSON has no such character.
  return json.replaceAll(UNSEEN, (found) =>
    Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
}
