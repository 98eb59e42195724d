/** A pretend address for the kit that answers with a tag. */
import { HttpStage, type Misbehaviour, type Rehearsal, type Stage } from "bllvm-stratum-v2/kit";

const PASSWORD = "only-those-who-ask-for-tags-know";

async function open(): Promise<Stage> {
  let serving: "work" | "none" | Misbehaviour = "work";
  const http = await HttpStage.open({
    handle: ({ headers }) => {
      const wanted = `Basic ${Buffer.from(`pool:${PASSWORD}`, "utf8").toString("base64")}`;
      if (headers.authorization !== wanted) return { status: 401, body: "" };
      if (serving === "none") return { status: 404, body: "" };
      return serving === "work" ? { body: "0102030405\n" } : serving;
    },
  });
  const url = `http://${http.address}/tag`;
  return {
    config: { url, user: "pool", password: PASSWORD, prefix: "CORE", poll_s: 0.2, timeout_s: 1 },
    badConfigs: [
      {},
      { url, data: "00" },
      { url: "127.0.0.1" },
      { url: `http://pool:${PASSWORD}@127.0.0.1/tag` },
      { text: "x", user: "pool", password: PASSWORD },
      { data: "0" },
      { text: "x".repeat(98) },
      { script: "76a914" },
      { script: "6a0a01" },
      { script: "6aac" },
      { script: "6a0101", prefix: "CORE" },
      { url, prefix: "x".repeat(97) },
      { hex: "00" },
    ],
    secrets: [PASSWORD],
    newBlock: async () => {},
    answer: (next) => (next === "down" ? http.down() : http.up()),
    serve: async (next) => {
      serving = next;
    },
    solve() {},
    chain() {},
    close: () => http.close(),
  };
}

/** The rehearsal. */
export const rehearsal: Rehearsal = {
  open,
  without: {
    newBlock: "a tag has no chain of blocks",
    submit: "a tag only has to stand in the coinbase; nothing solves it",
  },
};
