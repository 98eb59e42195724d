/** Aligned columns for people. */
import { cutText, plainText, textWidth } from "./plain-text.ts";

/** A column. */
export interface Column {
  readonly title: string;
  /** Numbers stand at the right, so that their digits are below each other. */
  readonly right?: boolean;
  /** Characters that are shown of a cell; 40 when left out. */
  readonly width?: number;
}

const WIDTH = 40;
const GAP = "  ";

/** The lines of a table, its titles first, nothing unseen in any cell. Columns that are empty in every row are left out. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => columns.map(({ width = WIDTH }, i) => cutText(plainText(row[i] ?? ""), width)));
  const shown = columns.map((column, i) => ({ ...column, i })).filter(({ i }) => cells.some((row) => row[i] !== ""));
  const widths = shown.map(({ title, i }) => Math.max(title.length, ...cells.map((row) => textWidth(row[i] ?? ""))));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, n) => {
        const room = " ".repeat(Math.max(0, (widths[n] ?? 0) - textWidth(text)));
        return shown[n]?.right === true ? room + text : text + room;
      })
      .join(GAP)
      .trimEnd();
  return [line(shown.map(({ title }) => title)), ...cells.map((row) => line(shown.map(({ i }) => row[i] ?? "")))];
}
