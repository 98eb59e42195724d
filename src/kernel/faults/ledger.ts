/** Faults of the ledger: its database, its books, payouts. */
import { faults } from "./row.ts";

/** Rows of `src/ledger`. */
export const LEDGER_FAULTS = faults({
  "ledger-reward-known": {
    act: "halt",
    what: "the reward of this block cannot be set by hand",
    help: "Only a mature block whose chain does not tell what it pays takes one: `bllvm-stratum-v2 blocks HASH` shows its state and its reward.",
  },
  "ledger-schema-newer": {
    act: "halt",
    what: "the ledger was written by a newer version of this program",
    help: "Run the version that wrote it, or a later one: an older one would not understand what it reads. Never delete the ledger for this: it says who is owed what.",
  },
  "ledger-credit-unwritten": {
    act: "retry",
    what: "credit of shares cannot be written to the ledger",
    help: "It is kept in memory and written as soon as the database takes it; the cause says what is wrong with that. Do not stop the server before: what is not written then is lost to the miners. Found blocks are not concerned.",
  },
  "ledger-credit-lost": {
    act: "retry",
    what: "shares were accepted that nobody gets credit for",
    help: "The database has been away for so long that memory for credit is full, and workers who are new in it are not counted. Mend the database: the lines before say what is wrong with it.",
  },
  "ledger-schema-older": {
    act: "halt",
    what: "the ledger was written by an older version of this program and must be brought up to date first",
    help: "Start the server once: it does that by itself. Keep a copy of the file before, as before every change of version.",
  },
  // The database: where it is, and what happens to it.
  "ledger-address": {
    act: "halt",
    what: "ledger.database is neither a file nor a PostgreSQL URL",
    help: "Give a path such as /var/lib/pool/ledger.sqlite, or postgres://user:password@host:5432/database. Left out, it is ledger.sqlite in data_dir.",
  },
  "ledger-cannot-open": {
    act: "retry",
    what: "the ledger's file cannot be opened",
    help: "See that ledger.database names a file in a folder that exists, on a disk that is mounted and writable, and that the process may open files (ulimit -n). Mining goes on; credit waits in memory, found blocks in data_dir.",
  },
  "ledger-conflict": {
    act: "retry",
    what: "other transactions kept coming between one of the ledger's",
    help: "Nothing was written; it is tried again. If this stays, look for a program beside this one that writes to the same database.",
  },
  "ledger-corrupt": {
    act: "retry",
    what: "the ledger's database is damaged",
    help: "Stop the server and copy the database as it is (with its -wal file). Then restore your last copy, or recover it: for SQLite `sqlite3 ledger.sqlite .recover | sqlite3 new.sqlite`, for PostgreSQL from a base backup. Look for a failing disk. Mining goes on meanwhile; credit waits in memory, found blocks in data_dir.",
  },
  "ledger-credentials": {
    act: "retry",
    what: "PostgreSQL refused the ledger's user, password or database",
    help: "See that user, password and database in ledger.database are right, that pg_hba.conf lets this host in, and that the user may create tables (GRANT CREATE, or make it the database's owner). It is tried again by itself; mining goes on, credit waits in memory.",
  },
  "ledger-disk-failed": {
    act: "retry",
    what: "the ledger's disk failed to read or write, or does not answer",
    help: "Look at the system's log (dmesg) and the disk's health (smartctl): copy the ledger to another disk soon. It is opened again by itself; mining goes on, credit waits in memory.",
  },
  "ledger-disk-full": {
    act: "retry",
    what: "the disk that has the ledger is full",
    help: "Make room on it. Nothing was written half, and the ledger goes on by itself as soon as there is room. Mining goes on meanwhile; credit waits in memory.",
  },
  "ledger-failed": {
    act: "retry",
    what: "the ledger's database refused a statement",
    help: "Nothing of it was written. Unless the words behind this say what is wrong with the database, it is a mistake in this program: please report it with them.",
  },
  "ledger-in-use": {
    act: "halt",
    what: "another server has this ledger open",
    help: "Two servers cannot share an SQLite file: end the other one, give this one a data_dir of its own, or let both use one PostgreSQL database.",
  },
  "ledger-locked": {
    act: "retry",
    what: "another program holds the ledger's database locked",
    help: "End what has it open in a transaction: an sqlite3 or psql session, a copy that runs. Nothing was written half and it is tried again by itself. Mining goes on; credit waits in memory.",
  },
  "ledger-moved": {
    act: "retry",
    what: "the ledger's file was moved, replaced or deleted while it was open",
    help: "Put it back, together with its -wal file; the ledger then goes on by itself. To begin with another or an empty one, restart the server. Mining goes on; credit waits in memory.",
  },
  "ledger-not-open": {
    act: "retry",
    what: "the ledger is not open yet, or not any more",
    help: "An earlier line of the log says why; it is opened by itself as soon as possible. Mining goes on; credit waits in memory.",
  },
  "ledger-not-permitted": {
    act: "retry",
    what: "this user may not use the ledger's file",
    help: "Make the user that runs the server the owner of the file and of its folder (chown -R), also of the -wal and -shm files. Mining goes on; credit waits in memory.",
  },
  "ledger-overloaded": {
    act: "retry",
    what: "too much waits for the ledger's database already",
    help: "The disk or PostgreSQL is slower than what is asked of it: see what else keeps it busy. Mining goes on; credit waits in memory.",
  },
  "ledger-process-ended": {
    act: "retry",
    what: "the process that writes the ledger's file ended",
    help: "It is started again by itself and nothing was written half. If this comes again: was it killed for want of memory (dmesg)? Otherwise please report it.",
  },
  "ledger-read-only": {
    act: "retry",
    what: "the ledger's database cannot be written, only read",
    help: "SQLite: remount the disk writable and see that the user that runs the server owns file and folder. PostgreSQL: ledger.database must name the primary, not a standby. Mining goes on; credit waits in memory.",
  },
  "ledger-unreachable": {
    act: "retry",
    what: "PostgreSQL does not answer",
    help: "See that it runs, that host and port in ledger.database are right, and that it has connections left. It is tried again by itself; mining goes on, credit waits in memory.",
  },
});
