import { describe, expect, test } from "vitest";
import { sources } from "../support/sources.ts";

const src = sources("src");
/** What the package offers to others: the only files that re-export. */
const PUBLIC = new Set(["src/index.ts", "src/plugin.ts", "src/kit.ts"]);
const everything = sources("src", "plugins", "test");

describe("files", () => {
  test("no source file is longer than a sitting", () => {
    const lengths = src.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
    expect(lengths.filter(({ lines }) => lines > 500)).toEqual([]);
    const sorted = lengths.map(({ lines }) => lines).sort((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(150);
    expect(sorted[Math.floor(sorted.length * 0.9)]).toBeLessThanOrEqual(350);
  });

  test("every source file opens by saying why it exists", () => {
    const silent = src.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path);
    expect(silent).toEqual([]);
  });

  test("every export is documented", () => {
    const bare = src.flatMap(({ path, text }) => {
      const lines = text.split("\n");
      return lines.flatMap((line, i) => {
        if (
          !/^export (default |abstract |async |declare )*(const|let|function\*?|class|interface|type) (?!\{)/.test(line)
        )
          return [];
        // Overloads and a const beside a type of the same name share one comment.
        const before = lines[i - 1] ?? "";
        return before.trimEnd().endsWith("*/") || /^export (async )?function .*;$/.test(before)
          ? []
          : [`${path}:${i + 1} ${line}`];
      });
    });
    expect(bare).toEqual([]);
  });

  test("imports are written one way: named, relative ones with their ending, no barrels", () => {
    const wrong = everything.flatMap(({ path, imports, text }) => [
      ...imports
        .filter(
          ({ specifier, target }) => target !== undefined && !specifier.endsWith(".ts") && !specifier.endsWith(".json"),
        )
        .map(({ specifier }) => `${path}: ${specifier} has no ending`),
      ...(path.startsWith("test/") || PUBLIC.has(path) || !/^export (\*|\{[^}]*\} from|type \{[^}]*\} from)/m.test(text)
        ? []
        : [`${path}: re-exports`]),
      ...(path.startsWith("test/") || !/^export default/m.test(text) ? [] : [`${path}: default export`]),
    ]);
    expect(wrong).toEqual([]);
  });

  test("signals are joined by kernel/abort.ts: AbortSignal.any leaks what it makes of a signal that lives on", () => {
    const code = everything.filter(({ path }) => !path.startsWith("test/"));
    const wrong = code.filter(({ text }) => /AbortSignal\s*\.any\(/.test(text)).map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  test("nothing unfinished is left in the sources", () => {
    const wrong = everything.flatMap(({ path, text }) =>
      /\b(TODO|FIXME|XXX)\b|@ts-ignore|@ts-expect-error|\.(skip|only)\(/.test(text) && !path.startsWith("test/arch/")
        ? [path]
        : [],
    );
    expect(wrong).toEqual([]);
  });
});
