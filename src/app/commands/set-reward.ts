/** `ledger set-reward`: what a block pays, when its chain's daemons never tell. */
import { setReward } from "../../ledger/blocks/set-reward.ts";
import { coinsText, unitsOf } from "../../ledger/payouts/coins.ts";
import { coinOf } from "../coin-of.ts";
import { loadConfig } from "../config/load.ts";
import { EXIT } from "../exit-codes.ts";
import { ledgerOf } from "../ledger-of.ts";
import { systemClock } from "../system.ts";
import { jsonLine, type Terminal } from "../terminal.ts";

/** Words behind `ledger set-reward`. */
export interface SetRewardWords {
  readonly config?: string;
  readonly chain: string;
  readonly json: boolean;
}

/** Returns the exit code; throws `Fault` `report-block-unknown`, `ledger-*`, `payout-amount`, `chain-unknown`, `config-*` or `plugin-*`. */
export async function setRewardByHand(
  block: string,
  coins: string,
  words: SetRewardWords,
  terminal: Terminal,
): Promise<number> {
  const { chain, json } = words;
  const loaded = loadConfig(words.config);
  const coin = await coinOf(loaded, chain);
  const reward = unitsOf(coins, coin);
  const ledger = await ledgerOf(loaded, { create: false });
  try {
    const { key, height } = await ledger.transaction((db) =>
      setReward(db, { chain, block, reward, atMs: Math.floor(systemClock.nowMs()) }),
    );
    const text = `${coinsText(reward, coin)} ${coin.symbol}`;
    if (json) terminal.out(jsonLine({ chain, key, height, reward }));
    else terminal.out(`${chain} block ${height} pays ${text}; the server divides it within seconds`);
  } finally {
    await ledger.close();
  }
  return EXIT.ok.code;
}
