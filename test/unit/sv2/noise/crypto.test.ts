import { nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import { describeNoiseCrypto } from "../../../support/noise-crypto-table.ts";

describeNoiseCrypto("noble", nobleCrypto());
