/** The tutorial builds a plugin from nothing: what its readers type is typed here, outside the checkout. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { installPackage, pluginCommand, temporaryFolder } from "../support/plugin-folder.ts";
import { run } from "../support/program.ts";
import { ROOT } from "../support/sources.ts";

const page = readFileSync(join(ROOT, "docs/plugins.md"), "utf8");

/** Fenced blocks: the language, the file that they belong to (its parts are written one after the other), the text. */
const blocks = [...page.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, language, file, text = ""]) => ({
  language,
  file,
  text,
}));

/** Writes every file of the tutorial into a new folder. */
function build(): string {
  const folder = temporaryFolder();
  for (const { file, text } of blocks) {
    if (file === undefined) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    appendFileSync(join(folder, file), text);
  }
  return folder;
}

describe("docs/plugins.md", () => {
  test("its plugin keeps every rule with nothing installed, and the output is what the page shows", async () => {
    const { code, out } = await pluginCommand(build(), "check", "pebble");
    expect(out).not.toMatch(/^[✗?-]/m);
    expect(code).toBe(0);
    const [shown = ""] = blocks
      .filter(({ language, text }) => language === "text" && text.includes("keeps"))
      .map((each) => each.text);
    const withoutTimes = (text: string): string => text.replaceAll(/ \(\d+\.\d s\)/g, "");
    for (const line of shown.split("\n").filter((each) => each !== "" && each !== "...")) {
      expect(withoutTimes(out).split("\n")).toContain(withoutTimes(line));
    }
  });

  test("what it says of a plugin that keeps a connection is what happens", async () => {
    const folder = build();
    const index = join(folder, "pebble/index.js");
    const text = readFileSync(index, "utf8");
    expect(text).toContain(", daemons.stop()]");
    writeFileSync(index, text.replace(", daemons.stop()]", "]"));
    const { code, out } = await pluginCommand(folder, "check", "pebble");
    const shown = blocks.find((block) => block.language === "text" && block.text.startsWith("✗ stop:"))?.text ?? "";
    const withoutLines = (said: string): string =>
      said.replaceAll(/\.js:\d+:\d+/g, ".js").replaceAll(/ \(\d+\.\d s\)/g, "");
    expect(withoutLines(out)).toContain(withoutLines(shown).trimEnd());
    expect(code).toBe(3);
  });

  test("its code passes the compiler, and its loop over the checks any runner", async () => {
    const folder = join(build(), "pebble");
    await installPackage(folder);
    const loop = blocks.find(
      ({ language, file, text }) => language === "js" && file === undefined && text.includes("checks("),
    );
    writeFileSync(join(folder, "pebble.test.js"), loop?.text ?? "");
    const compilerOptions = {
      ...{
        allowJs: true,
        checkJs: true,
        noEmit: true,
        strict: true,
        skipLibCheck: true,
        exactOptionalPropertyTypes: true,
      },
      ...{ target: "es2023", module: "nodenext", types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.js"] }));
    const types = run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]);
    expect(await types.ended, types.out.join("\n")).toBe(0);
    const tests = run(process.execPath, ["--test"], { cwd: folder });
    expect(await tests.ended, tests.out.join("\n")).toBe(0);
    expect(tests.out.join("\n")).toMatch(/^# fail 0$/m);
  });

  test("its folder is found in plugins_dir, and its configuration is accepted", async () => {
    const folder = build();
    const table = readFileSync(join(folder, "pebble/config.toml"), "utf8");
    writeFileSync(join(folder, "config.toml"), `[merge_mining]\nplugins_dir = "."\n\n${table}`);
    const { code, out } = await pluginCommand(folder, "list", "-c", "config.toml", "--json");
    expect(code).toBe(0);
    const { plugins, chains } = JSON.parse(out);
    expect(plugins.find(({ name }: { name: string }) => name === "pebble")).toMatchObject({ origin: "plugins_dir" });
    expect(chains).toContainEqual(expect.objectContaining({ name: "pebble", plugin: "pebble" }));
  });

  test("links lead to what is there", () => {
    for (const [, target = ""] of page.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (!target.startsWith("http")) expect(readFileSync(join(ROOT, "docs", target), "utf8")).not.toBe("");
    }
  });
});
