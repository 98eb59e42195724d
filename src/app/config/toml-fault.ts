/** What is wrong with a text that is no TOML, without the text itself: the parser quotes the lines around a mistake, and one of them may be a password. */
import type { TomlError } from "smol-toml";
import { Fault } from "../../kernel/fault.ts";

/** The fault of `file`; line and column say where, the parser's sentence what. */
export function tomlFault(file: string, { line, column, message }: TomlError): Fault {
  const [sentence = message] = message.split("\n");
  return new Fault("config-not-toml", { file, line, column }, { cause: new Error(sentence) });
}
