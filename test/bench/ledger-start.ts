/** How long a server's ledger takes to be there at a start, with a year behind it: opened, its schema looked at, first credit, follower and books. */
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import { DISTRIBUTION_DEFAULTS, Distribution } from "../../src/ledger/books/distribution.ts";
import { REWARD_RULES_DEFAULTS } from "../../src/ledger/books/reward-rules.ts";
import { CreditLedger } from "../../src/ledger/credit/credit-ledger.ts";
import { type LedgerAddress, openLedger } from "../../src/ledger/store/address.ts";
import { LEDGER_CONNECTION_DEFAULTS, LedgerConnection } from "../../src/ledger/store/connection.ts";

const CHILD = new URL("../../src/ledger/store/sqlite-child.js", import.meta.url);

/** Times of one start, ms. */
export interface StartTimes {
  /** Until the database is open and its schema known. */
  readonly openMs: number;
  /** Until the first share is credited on the disk. */
  readonly creditMs: number;
  /** Until the books were looked at for what is due. */
  readonly booksMs: number;
}

/** One start on `address`, as the server makes it. */
export async function startTimes(address: LedgerAddress): Promise<StartTimes> {
  const [clock, log, meter] = [systemClock, silentLog, silentMeter];
  const ledger = new LedgerConnection(
    { clock, log, meter, open: (how) => openLedger(address, { ...how, access: "own", script: CHILD, clock }) },
    LEDGER_CONNECTION_DEFAULTS,
  );
  const credit = new CreditLedger({ clock, log, meter, ledger, random: systemRandom() }, { server: 0 });
  const books = new Distribution(
    {
      clock,
      log,
      meter,
      ledger,
      rules: () => REWARD_RULES_DEFAULTS,
      beforeRead: () => credit.flush(),
      onDistributed() {},
    },
    DISTRIBUTION_DEFAULTS,
  );
  const beganMs = performance.now();
  const since = (): number => performance.now() - beganMs;
  await ledger.start(new AbortController().signal);
  const openMs = since();
  await credit.start();
  const share = { userIdentity: "account12.rig123", difficulty: 8192, height: 1, jobId: 1, atMs: clock.nowMs() };
  credit.credit({ ...share, chains: ["namecoin", "rsk"] });
  await credit.flush();
  const creditMs = since();
  await books.pass();
  const booksMs = since();
  await credit.stop();
  await ledger.stop();
  return { openMs, creditMs, booksMs };
}
