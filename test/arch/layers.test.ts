import { describe, expect, test } from "vitest";
import { type Source, sources } from "../support/sources.ts";

/** What the files of a folder of `src` may import from; a folder may always import from itself. */
const ADAPTERS = ["node", "pool", "upstream", "ledger", "ops", "devnet", "host", "sdk", "kit"];
const CORE = ["kernel", "bitcoin", "sv2", "mining", "merge"];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  bitcoin: ["kernel"],
  sv2: ["kernel"],
  mining: ["kernel", "bitcoin", "sv2"],
  merge: ["kernel", "bitcoin", "sv2", "mining"],
  quic: ["kernel"],
  client: [...CORE, "quic"],
  daemon: CORE,
  ...Object.fromEntries(ADAPTERS.map((adapter) => [adapter, [...CORE, "quic", "client", "daemon"]])),
  app: [...CORE, "quic", "client", "daemon", ...ADAPTERS],
  "main.ts": ["app", "kernel"],
  "module.ts": ["app", "kernel"],
  "index.ts": [...CORE, ...ADAPTERS, "app"],
  "plugin.ts": [...CORE, "daemon", "sdk"],
  "kit.ts": [...CORE, "kit"],
};

/** npm packages that a pure folder may use. */
const PURE_PACKAGES: Readonly<Record<string, RegExp>> = {
  kernel: /^$/,
  bitcoin: /^(@noble|@scure)\//,
  sv2: /^(@noble|@scure)\//,
  mining: /^zod$/,
  merge: /^zod$/,
};

/** Ambient powers that a pure folder must be given as arguments. */
const AMBIENT =
  /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|setImmediate|process\.|Buffer\.|console\.|crypto\.getRandomValues|globalThis)/;

const all = sources("src");
const folderOf = (path: string): string => path.split("/")[1] ?? "";

describe("layers", () => {
  test("every folder imports only from the folders below it", () => {
    const wrong = all.flatMap((source) =>
      source.imports.flatMap(({ target }) => {
        if (target === undefined) return [];
        const from = folderOf(source.path);
        const to = folderOf(target);
        return from === to || MAY_IMPORT[from]?.includes(to) === true ? [] : [`${source.path} imports ${target}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test("every folder has its place in the order", () => {
    expect([...new Set(all.map(({ path }) => folderOf(path)))].filter((folder) => !(folder in MAY_IMPORT))).toEqual([]);
  });

  test("the pure folders use no Node module and no package but those allowed", () => {
    const wrong = all.flatMap((source) => {
      const allowed = PURE_PACKAGES[folderOf(source.path)];
      if (allowed === undefined) return [];
      return source.imports
        .filter(({ target, specifier }) => target === undefined && !allowed.test(specifier))
        .map(({ specifier }) => `${source.path} imports ${specifier}`);
    });
    expect(wrong).toEqual([]);
  });

  test("the pure folders take clock, randomness and output as arguments", () => {
    const wrong = all.flatMap((source) => {
      if (!(folderOf(source.path) in PURE_PACKAGES)) return [];
      const code = source.text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      const match = AMBIENT.exec(code);
      return match === null ? [] : [`${source.path} uses ${match[1]}`];
    });
    expect(wrong).toEqual([]);
  });

  test("tsyringe and reflect-metadata are known to src/app only", () => {
    const wrong = all.filter(
      ({ path, imports }) =>
        folderOf(path) !== "app" && imports.some(({ specifier }) => /^(tsyringe|reflect-metadata)/.test(specifier)),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test("no file reaches itself through its imports", () => {
    const byPath = new Map(all.map((source) => [source.path, source]));
    expect(all.flatMap((source) => cycleFrom(source, byPath))).toEqual([]);
  });
});

/** The cycle through `start`, if any; type imports count too, since a reader follows them as well. */
function cycleFrom(start: Source, byPath: ReadonlyMap<string, Source>): string[] {
  const seen = new Set<string>();
  const walk = (source: Source, trail: readonly string[]): string[] => {
    for (const { target } of source.imports) {
      if (target === undefined) continue;
      if (target === start.path) return [[...trail, target].join(" -> ")];
      const next = byPath.get(target);
      if (next === undefined || seen.has(target)) continue;
      seen.add(target);
      const found = walk(next, [...trail, target]);
      if (found.length > 0) return found;
    }
    return [];
  };
  return walk(start, [start.path]);
}
