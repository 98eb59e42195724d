import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coinNumber, coinText } from "../../../../src/app/reports/coin-text.ts";
import { csvLine } from "../../../../src/app/reports/csv.ts";
import { cutText, plainJson, plainText, textWidth } from "../../../../src/app/reports/plain-text.ts";
import { tableLines } from "../../../../src/app/reports/table.ts";

/** Reads one CSV record as RFC 4180 says. */
function parseCsv(line: string): string[] {
  const cells: string[] = [];
  let rest = line;
  for (;;) {
    const [all = "", quoted, bare = ""] = /^(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/.exec(rest) ?? [];
    cells.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (rest.length === all.length) return cells;
    rest = rest.slice(all.length + 1);
  }
}

describe("coins", () => {
  test.each([
    [0n, 8, "0.00000000"],
    [1n, 8, "0.00000001"],
    [-1n, 8, "-0.00000001"],
    [5_000_000_000n, 8, "50.00000000"],
    [-123_456_789_012n, 8, "-1234.56789012"],
    [2n ** 80n, 18, "1208925.819614629174706176"],
    [7n, 0, "7"],
    [-7n, 2, "-0.07"],
  ])("%s units with %s decimals are %s", (amount, decimals, text) => {
    expect(coinNumber(amount, { symbol: "X", decimals })).toBe(text);
  });

  test("without a coin the units themselves are told", () => {
    expect(coinText(123n, undefined)).toBe("123 units");
    expect(coinText(123n, { symbol: "HTR", decimals: 2 })).toBe("1.23 HTR");
  });

  test("every amount can be read back", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.integer({ min: 0, max: 30 }), (amount, decimals) => {
        const text = coinNumber(amount, { symbol: "X", decimals });
        expect(BigInt(text.replace(".", ""))).toBe(amount);
        expect(text.split(".")[1]?.length ?? 0).toBe(decimals);
      }),
    );
  });
});

describe("CSV", () => {
  test.each([
    ["farm.rig1", "farm.rig1"],
    ["a,b", '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1+1", "'-1+1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["  =cmd", "'  =cmd"],
    ["\t=cmd", "\\u{9}=cmd"],
    ["＝1", "'＝1"],
    ["=a,b", '"\'=a,b"'],
    ["-0.00000001", "-0.00000001"],
    ["-5", "-5"],
    ["line\r\nbreak", "line\\u{d}\\u{a}break"],
    ["\u001b[31mred", "\\u{1b}[31mred"],
    ["\u202egnp.exe", "\\u{202e}gnp.exe"],
    ["⛏️ 矿工", "⛏️ 矿工"],
    [undefined, ""],
    [-12, "-12"],
  ])("%j is written %j", (value, text) => {
    expect(csvLine([value])).toBe(text);
  });

  test("any text is one cell of one line again, and no cell begins like a formula", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary", maxLength: 255 }), { minLength: 1 }), (texts) => {
        const line = csvLine(texts);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        const cells = parseCsv(line);
        expect(cells).toHaveLength(texts.length);
        for (const [i, cell] of cells.entries()) {
          expect(cell === plainText(texts[i] ?? "") || cell === `'${plainText(texts[i] ?? "")}`).toBe(true);
          if (!/^-\d+(\.\d+)?$/.test(cell)) expect(cell).not.toMatch(/^\s*[=+\-@]/);
        }
      }),
    );
  });
});

describe("text of strangers", () => {
  test("nothing of it is unseen, and what can be seen stays", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(plainText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
    );
    expect(plainText("Größe ⛏ 矿工 \\ x")).toBe("Größe ⛏ 矿工 \\ x");
  });

  test("JSON stays the same values, with nothing unseen in it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const json = plainJson(JSON.stringify({ [text]: [text, 1, null] }));
        expect(JSON.parse(json)).toEqual({ [text]: [text, 1, null] });
        expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
    expect(plainJson('"\u009b31m\u{e0001}"')).toBe('"\\u009b31m\\udb40\\udc01"');
  });

  test("it is cut by characters, never within one", () => {
    expect(cutText("⛏⛏⛏⛏", 4)).toBe("⛏⛏⛏⛏");
    expect(cutText("😀😀😀😀😀", 4)).toBe("😀😀😀…");
    expect([...cutText("x".repeat(255), 40)]).toHaveLength(40);
  });
});

describe("tables", () => {
  test("numbers stand at the right, empty columns are left out, wide characters count as two", () => {
    const columns = [{ title: "name" }, { title: "nothing" }, { title: "owed", right: true }];
    expect(
      tableLines(columns, [
        ["a", "", "1.0"],
        ["矿工", "", "22.0"],
        ["\u001b]0;x\u0007", "", "0.5"],
      ]),
    ).toEqual(["name             owed", "a                 1.0", "矿工             22.0", "\\u{1b}]0;x\\u{7}   0.5"]);
    expect(textWidth("e\u0301矿😀")).toBe(5);
  });

  test("an identity of 255 bytes does not push the others away", () => {
    const [, line = ""] = tableLines([{ title: "name" }, { title: "n" }], [["x".repeat(255), "5"]]);
    expect(line).toBe(`${"x".repeat(39)}…  5`);
  });
});
