/** Tables as CSV (RFC 4180) that is safe to open in a spreadsheet. */
import { plainText } from "./plain-text.ts";

/** A value of a row. Numbers and big integers are ours; text may be anybody's. */
export type CsvValue = string | number | bigint | undefined;

/** A cell that begins so is run as a formula by spreadsheets; blanks before it do not help. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
/** A plain decimal number may begin with a minus. */
const NUMBER = /^-?\d+(\.\d+)?$/;
const SPECIAL = /[",\r\n]/;

/**
 * One line without its end (`\r\n` in a file). What would be a formula has an apostrophe in front, which spreadsheets take as "this is text", and what is not
 * seen is written out as in tables.
 */
export function csvLine(values: readonly CsvValue[]): string {
  return values.map(cell).join(",");
}

function cell(value: CsvValue): string {
  if (value === undefined) return "";
  const plain = plainText(String(value));
  const text = FORMULA.test(plain) && !NUMBER.test(plain) ? `'${plain}` : plain;
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
