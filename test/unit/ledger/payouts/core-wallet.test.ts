import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { serializeTransaction, txid } from "../../../../src/bitcoin/transaction.ts";
import type { Rpc } from "../../../../src/daemon/rpc.ts";
import { fromHex, toDisplayHex, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { CoreWallet } from "../../../../src/ledger/payouts/core-wallet.ts";
import { noWallet } from "../../../../src/ledger/payouts/no-wallet.ts";
import { checkedPayout, paysSame } from "../../../../src/ledger/payouts/transaction-check.ts";

const SCRIPTS: Readonly<Record<string, string>> = { A: "51", B: "52", C: "53", change: "54" };

/** A transaction that spends output 0 of each of `inputs` and pays `outputs`, as hex. */
function rawTransaction(outputs: readonly (readonly [string, bigint])[], ...inputs: readonly number[]): string {
  const spent = (inputs.length === 0 ? [1] : inputs).map((input) => ({
    prevHash: new Uint8Array(32).fill(input),
    prevIndex: 0,
    script: new Uint8Array(),
    sequence: 0xffffffff,
    witness: [],
  }));
  const paid = outputs.map(([address, value]) => ({ value, script: fromHex(SCRIPTS[address] ?? "") }));
  return toHex(serializeTransaction({ version: 2, inputs: spent, outputs: paid, lockTime: 0 }, { witness: true }));
}

type Answers = Readonly<Record<string, unknown>>;

const error = (rpcCode: number, says: string) => new Fault("node-rpc-error", { rpcCode, says });

/** A wallet whose daemon answers as told; a fault is thrown, a function is called with the parameters. */
function wallet(answers: Answers) {
  const calls: (readonly [string, unknown])[] = [];
  const rpc: Rpc = {
    name: "wallet",
    address: "http://127.0.0.1/",
    clockOffsetMs: 0,
    close() {},
    async call<S extends z.ZodType>(method: string, params: unknown, schema: S): Promise<z.output<S>> {
      calls.push([method, params]);
      const told = answers[method];
      const answer = typeof told === "function" ? told(params) : told;
      if (answer instanceof Error) throw answer;
      return schema.parse(answer);
    },
  };
  return { wallet: new CoreWallet({ rpc }, { coin: { symbol: "NMC", decimals: 8 } }), calls };
}

const validateaddress = ([address]: readonly [string]) =>
  address in SCRIPTS ? { isvalid: true, address, scriptPubKey: SCRIPTS[address] } : { isvalid: false };

const WANTED = [
  { address: "A", amount: 9_007_199_254_740_993n },
  { address: "B", amount: 30n },
];

/** Answers of a daemon that makes the transaction `raw` at a fee of 0.00000100. */
function making(raw: string, more: Answers = {}): Answers {
  return {
    validateaddress,
    createrawtransaction: "00",
    fundrawtransaction: { hex: "01", fee: 0.000001, changepos: 2 },
    signrawtransactionwithwallet: { hex: raw, complete: true },
    testmempoolaccept: [{ allowed: true }],
    ...more,
  };
}

const GOOD = rawTransaction([
  ["A", 9_007_199_254_740_993n],
  ["B", 30n],
  ["change", 5n],
]);

describe("a wallet of Bitcoin Core's family", () => {
  test("is asked for exact amounts as text, and what it made is read by our own parser", async () => {
    const { wallet: core, calls } = wallet(making(GOOD));
    const made = await core.make(WANTED, "operator");
    expect(calls.find(([method]) => method === "createrawtransaction")?.[1]).toEqual([
      [],
      [{ A: "90071992.54740993" }, { B: "0.00000030" }],
      0,
      false,
    ]);
    expect(calls.find(([method]) => method === "fundrawtransaction")?.[1]).toEqual([
      "00",
      { changePosition: 2, subtractFeeFromOutputs: [], replaceable: false },
    ]);
    expect(made).toMatchObject({ rawTransaction: GOOD, fee: 100n, withheld: 0n });
    expect(made.txid).toMatch(/^[0-9a-f]{64}$/);
    // Nothing was sent, and nothing locked that nobody would know of after a crash.
    expect(calls.map(([method]) => method)).not.toContain("sendrawtransaction");
    expect(calls.map(([method]) => method)).not.toContain("lockunspent");
  });

  test.each([
    [
      "an output pays somebody else",
      rawTransaction([
        ["C", 9_007_199_254_740_993n],
        ["B", 30n],
      ]),
    ],
    [
      "an output pays less",
      rawTransaction([
        ["A", 9_007_199_254_740_992n],
        ["B", 30n],
      ]),
    ],
    [
      "an output pays more",
      rawTransaction([
        ["A", 9_007_199_254_740_993n],
        ["B", 31n],
      ]),
    ],
    ["an output is missing", rawTransaction([["A", 9_007_199_254_740_993n]])],
    [
      "there are outputs that nobody asked for",
      rawTransaction([
        ["A", 9_007_199_254_740_993n],
        ["B", 30n],
        ["C", 1n],
        ["change", 1n],
      ]),
    ],
    ["it is no transaction", "0102"],
    ["it is no hex", "zz"],
  ])("is not believed when %s", async (_, raw) => {
    const { wallet: core } = wallet(making(raw));
    await expect(core.make(WANTED, "operator")).rejects.toMatchObject({ code: "payout-transaction-wrong" });
  });

  test("takes the fee from the payees in equal parts when they bear it", () => {
    const wanted = [
      { script: "51", amount: 1000n },
      { script: "52", amount: 500n },
    ];
    const split = rawTransaction([
      ["A", 949n],
      ["B", 450n],
    ]);
    expect(checkedPayout(split, wanted, 101n, "workers")).toMatchObject({ withheld: 101n });
    expect(() => checkedPayout(split, wanted, 100n, "workers")).toThrow(/payees pay 101 of a fee of 100/);
    // Core gave a rest of 9 to the fee that was too small for change.
    expect(checkedPayout(split, wanted, 110n, "workers")).toMatchObject({ withheld: 101n });
    expect(() => checkedPayout(split, wanted, 101n, "operator")).toThrow(/pays 949 instead of 1000/);
    expect(() =>
      checkedPayout(
        rawTransaction([
          ["A", 899n],
          ["B", 500n],
        ]),
        wanted,
        101n,
        "workers",
      ),
    ).toThrow(/pays 899 instead of 1000/);
  });

  test.each([
    ["payout-wallet-locked", { fundrawtransaction: error(-13, "Please enter the wallet passphrase") }],
    ["payout-wallet-locked", { signrawtransactionwithwallet: error(-13, "Please enter the wallet passphrase") }],
    [
      "payout-wallet-funds",
      {
        fundrawtransaction: error(-4, "Insufficient funds"),
        getbalances: { mine: { trusted: 0.5, untrusted_pending: 0, immature: 50 } },
      },
    ],
    ["payout-wallet-funds", { fundrawtransaction: error(-6, "Insufficient funds"), getbalances: error(-5, "none") }],
    ["payout-wallet-fee", { fundrawtransaction: error(-4, "Fee estimation failed. Fallbackfee is disabled.") }],
    ["payout-wallet-keys", { fundrawtransaction: error(-4, "Error: Private keys are disabled for this wallet") }],
    ["payout-wallet-keys", { signrawtransactionwithwallet: { hex: GOOD, complete: false } }],
    ["payout-wallet-missing", { validateaddress: error(-18, "Requested wallet does not exist or is not loaded") }],
    ["payout-wallet-missing", { fundrawtransaction: error(-19, "Wallet file not specified") }],
    ["payout-refused", { fundrawtransaction: error(-4, "The transaction amount is too small to pay the fee") }],
    ["payout-refused", { testmempoolaccept: [{ allowed: false, "reject-reason": "dust" }] }],
    ["payout-address", { validateaddress: { isvalid: false } }],
    ["node-rpc-error", { fundrawtransaction: error(-8, "Unknown key") }],
  ] as const)("%s, case %#, before anything is sent", async (code, answers) => {
    const { wallet: core, calls } = wallet(making(GOOD, answers));
    await expect(core.make(WANTED, "operator")).rejects.toMatchObject({ code });
    expect(calls.map(([method]) => method)).not.toContain("sendrawtransaction");
  });

  test("a daemon that cannot be asked beforehand is taken at its word later", async () => {
    const { wallet: core } = wallet(making(GOOD, { testmempoolaccept: new Fault("node-method-unknown", {}) }));
    expect(await core.make(WANTED, "operator")).toMatchObject({ fee: 100n });
  });

  test("says before a plan is written down that it could not sign", async () => {
    await expect(wallet({ getwalletinfo: { unlocked_until: 0 } }).wallet.ready()).rejects.toMatchObject({
      code: "payout-wallet-locked",
    });
    await expect(wallet({ getwalletinfo: { private_keys_enabled: false } }).wallet.ready()).rejects.toMatchObject({
      code: "payout-wallet-keys",
    });
    await wallet({ getwalletinfo: { private_keys_enabled: true, unlocked_until: 1_800_000_000 } }).wallet.ready();
    await wallet({ getwalletinfo: {} }).wallet.ready();
    await expect(noWallet("rsk").ready()).rejects.toMatchObject({ code: "payout-no-wallet" });
  });

  test.each([
    ["sent", "ok"],
    ["sent", error(-27, "Transaction outputs already in utxo set")],
    ["sent", error(-27, "transaction already in block chain")],
    ["sent", error(-26, "txn-already-known")],
    ["sent", error(-26, "txn-already-in-mempool")],
    ["sent", error(-26, "txn-same-nonwitness-data-in-mempool")],
    ["spent", error(-25, "bad-txns-inputs-missingorspent")],
    ["spent", error(-25, "Missing inputs")],
    ["spent", error(-26, "txn-mempool-conflict")],
    ["spent", error(-26, "insufficient fee, rejecting replacement 00")],
    ["refused", error(-26, "min relay fee not met, 1 < 2")],
    ["refused", error(-25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")],
    ["refused", error(-22, "TX decode failed")],
  ] as const)("%s: the answer to a transaction, case %#", async (kind, answer) => {
    const { wallet: core } = wallet({ sendrawtransaction: answer });
    expect(await core.broadcast(GOOD)).toMatchObject({ kind });
  });

  test("no answer is no answer", async () => {
    for (const fault of [new Fault("node-timeout", {}), error(-18, "no wallet"), new Fault("node-refused", {})]) {
      await expect(wallet({ sendrawtransaction: fault }).wallet.broadcast(GOOD)).rejects.toBeInstanceOf(Fault);
    }
  });

  test.each([
    [{ kind: "confirmed", confirmations: 3 }, { gettransaction: { confirmations: 3 } }],
    [{ kind: "conflicted" }, { gettransaction: { confirmations: -2 } }],
    [{ kind: "mempool" }, { gettransaction: { confirmations: 0 }, getmempoolentry: {} }],
    [
      { kind: "unknown" },
      { gettransaction: { confirmations: 0 }, getmempoolentry: error(-5, "Transaction not in mempool") },
    ],
    [{ kind: "unknown" }, { gettransaction: error(-5, "Invalid or non-wallet transaction id") }],
  ])("finds %j", async (found, answers) => {
    expect(await wallet(answers).wallet.find("00")).toEqual(found);
  });

  test("locks coins one by one, and what is locked or spent already keeps nothing back", async () => {
    const { wallet: core, calls } = wallet({ lockunspent: error(-8, "Invalid parameter, output already locked") });
    await core.hold(GOOD);
    await core.release(GOOD);
    expect(calls).toEqual(
      [false, true].map((unlock) => ["lockunspent", [unlock, [{ txid: "01".repeat(32), vout: 0 }]]]),
    );
  });

  test("locks all coins past those that refuse, and none after a daemon that does not answer", async () => {
    const raw = rawTransaction([["A", 1n]], 1, 2, 3);
    const refusing = wallet({ lockunspent: error(-8, "Invalid parameter, output already locked") });
    await refusing.wallet.hold(raw);
    expect(refusing.calls).toHaveLength(3);
    // Each would wait for as long as the first.
    const silent = wallet({ lockunspent: new Fault("node-timeout", {}) });
    await silent.wallet.hold(raw);
    expect(silent.calls).toHaveLength(1);
  });
});

describe("what spent the coins of a payout", () => {
  const payout = { txid: "own", rawTransaction: GOOD, outputs: 2 };
  const spender = rawTransaction([["C", 1n]]);
  const bumped = rawTransaction([
    ["A", 9_007_199_254_740_993n],
    ["B", 30n],
    ["change", 1n],
  ]);
  const unrelated = rawTransaction([["C", 1n]], 2);
  const entry = (id: string, confirmations = 9) => ({ txid: id, category: "send", confirmations });
  const answering = (byId: Readonly<Record<string, unknown>>, listtransactions: readonly unknown[] = []) =>
    wallet({
      listtransactions,
      gettransaction: ([id]: readonly [string]) => byId[id] ?? error(-5, "no such transaction"),
    });

  test("is one of the transactions that the wallet names as its conflicts", async () => {
    const { wallet: core } = answering({
      own: { confirmations: -2, walletconflicts: ["x"] },
      x: { confirmations: 2, hex: spender, fee: -0.0000005 },
    });
    expect(await core.conflictOf(payout)).toEqual({
      txid: "x",
      rawTransaction: spender,
      fee: 50n,
      confirmations: 2,
      pays: "none",
    });
  });

  test("or one of its latest payments, when it never knew of the payout", async () => {
    const { wallet: core } = answering(
      { u: { confirmations: 9, hex: unrelated }, x: { confirmations: 9, hex: bumped, fee: -0.000002 } },
      [{ txid: "r", category: "receive", confirmations: 9 }, entry("x"), entry("young", 0), entry("u")],
    );
    expect(await core.conflictOf(payout)).toMatchObject({ txid: "x", fee: 200n, pays: "all" });
  });

  test("is nothing that is not in the chain, and nothing that spent other coins", async () => {
    const { wallet: core } = answering(
      {
        own: { confirmations: 0, walletconflicts: ["x"] },
        x: { confirmations: 0, hex: spender },
        u: { confirmations: 9, hex: unrelated },
      },
      [entry("u")],
    );
    expect(await core.conflictOf(payout)).toBeUndefined();
  });

  test("looks at so many pages and no more", async () => {
    const page = Array.from({ length: 1000 }, () => ({ category: "receive", confirmations: 1 }));
    const { wallet: core, calls } = wallet({ listtransactions: page, gettransaction: error(-5, "no") });
    expect(await core.conflictOf(payout)).toBeUndefined();
    expect(calls.filter(([method]) => method === "listtransactions")).toHaveLength(10);
  });

  test("pays all of a payout when each output is there once, and some of it when anybody gets anything", () => {
    const twice = rawTransaction([
      ["A", 5n],
      ["A", 5n],
      ["change", 1n],
    ]);
    expect(paysSame(twice, twice, 2)).toBe("all");
    expect(
      paysSame(
        twice,
        rawTransaction([
          ["A", 5n],
          ["change", 9n],
        ]),
        2,
      ),
    ).toBe("some");
    expect(
      paysSame(
        twice,
        rawTransaction([
          ["A", 4n],
          ["change", 1n],
        ]),
        2,
      ),
    ).toBe("some");
    expect(
      paysSame(
        twice,
        rawTransaction([
          ["B", 5n],
          ["change", 5n],
        ]),
        2,
      ),
    ).toBe("none");
  });

  test("the txid is that of the transaction without its witness", () => {
    const tx = {
      version: 2,
      inputs: [
        { prevHash: new Uint8Array(32), prevIndex: 1, script: new Uint8Array(), sequence: 1, witness: [fromHex("aa")] },
      ],
      outputs: [{ value: 7n, script: fromHex("51") }],
      lockTime: 0,
    };
    const raw = toHex(serializeTransaction(tx, { witness: true }));
    expect(checkedPayout(raw, [{ script: "51", amount: 7n }], 0n, "operator")).toEqual({
      txid: toDisplayHex(txid(tx)),
      withheld: 0n,
    });
  });
});
