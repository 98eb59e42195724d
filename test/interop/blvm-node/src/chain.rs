//! A regtest chain in memory. Blocks come in as wire bytes and are judged by the node's own parser and consensus code;
//! only fork choice is missing: a block extends the tip or is refused, as blvm's submitblock does.

use blvm_protocol::block::block_header_hash;
use blvm_protocol::mining::calculate_merkle_root;
use blvm_protocol::pow::check_proof_of_work;
use blvm_protocol::serialization::block::{deserialize_block_with_witnesses, serialize_block};
use blvm_protocol::validation::ProtocolValidationContext;
use blvm_protocol::{BitcoinProtocolEngine, ProtocolVersion, UtxoSet, ValidationResult};
use blvm_protocol::{Block, BlockHeader, Hash, OutPoint, Transaction, TransactionInput, TransactionOutput};

/// What regtest asks of every header.
pub const BITS: u64 = 0x207f_ffff;
const SUBSIDY: i64 = 50_0000_0000;
const OP_1: u8 = 0x51;

/// How heights 1 to 16 stand in a coinbase. From 17 on there is one way.
#[derive(Clone, Copy)]
pub enum Height {
    /// OP_1 to OP_16: Bitcoin Core's way, which blvm-consensus has learnt after 0.1.35.
    Opcode,
    /// Bytes behind their number: the only way until then.
    Bytes,
}

struct Entry {
    hash: Hash,
    block: Block,
    /// Unspent outputs after this block.
    utxos: UtxoSet,
}

pub struct Chain {
    engine: BitcoinProtocolEngine,
    entries: Vec<Entry>,
    mined: u32,
}

impl Chain {
    pub fn new() -> anyhow::Result<Self> {
        let engine = BitcoinProtocolEngine::new(ProtocolVersion::Regtest)?;
        let block = engine.get_network_params().genesis_block.clone();
        let hash = block_header_hash(&block.header);
        Ok(Self {
            engine,
            entries: vec![Entry {
                hash,
                block,
                utxos: UtxoSet::default(),
            }],
            mined: 0,
        })
    }

    pub fn height(&self) -> u64 {
        self.entries.len() as u64 - 1
    }

    pub fn tip(&self) -> Hash {
        self.last().hash
    }

    pub fn block(&self, hash: &Hash) -> Option<&Block> {
        self.entries
            .iter()
            .find(|entry| entry.hash == *hash)
            .map(|entry| &entry.block)
    }

    pub fn block_at(&self, height: u64) -> Option<&Block> {
        self.entries
            .get(usize::try_from(height).ok()?)
            .map(|entry| &entry.block)
    }

    /// Judges a block in wire format and connects it to the tip. Gives its hash, or why not.
    pub fn connect(&mut self, wire: &[u8], now: u64) -> Result<Hash, String> {
        let (block, witnesses) = deserialize_block_with_witnesses(wire).map_err(|e| format!("unparsable: {e}"))?;
        let header = &block.header;
        let hash = block_header_hash(header);
        if self.block(&hash).is_some() {
            return Err("duplicate".into());
        }
        if header.prev_block_hash != self.tip() {
            return Err("does not extend the tip".into());
        }
        if header.bits != BITS || !check_proof_of_work(header).map_err(|e| e.to_string())? {
            return Err("proof of work".into());
        }
        if calculate_merkle_root(&block.transactions).map_err(|e| e.to_string())? != header.merkle_root {
            return Err("merkle root".into());
        }
        let height = self.height() + 1;
        let recent = self.recent_headers();
        let mut context =
            ProtocolValidationContext::new(ProtocolVersion::Regtest, height).map_err(|e| e.to_string())?;
        for (name, value) in [("median_time_past", self.median_time_past()), ("network_time", now)] {
            context.context_data.insert(name.into(), value.to_string());
        }
        let judged = self.engine.validate_and_connect_block(
            &block,
            &witnesses,
            &self.last().utxos,
            height,
            Some(&recent),
            &context,
        );
        match judged.map_err(|e| e.to_string())? {
            (ValidationResult::Valid, utxos) => {
                self.entries.push(Entry { hash, block, utxos });
                Ok(hash)
            }
            (ValidationResult::Invalid(why), _) => Err(why),
        }
    }

    /// Takes the tip back. Gives its hash and height; the genesis block stays.
    pub fn disconnect(&mut self) -> Option<(Hash, u64)> {
        let height = self.height();
        if height == 0 {
            return None;
        }
        self.entries.pop().map(|entry| (entry.hash, height))
    }

    /// Wire bytes of a block on the tip with nothing but a coinbase, as another miner would find it.
    pub fn mine(&mut self, now: u64, spelling: Height) -> anyhow::Result<Vec<u8>> {
        self.mined += 1;
        let coinbase = Transaction {
            version: 1,
            inputs: blvm_protocol::tx_inputs![TransactionInput {
                prevout: OutPoint {
                    hash: [0; 32],
                    index: u32::MAX
                },
                sequence: u64::from(u32::MAX),
                script_sig: coinbase_script(self.height() + 1, spelling, self.mined),
            }],
            outputs: blvm_protocol::tx_outputs![TransactionOutput {
                value: SUBSIDY,
                script_pubkey: vec![OP_1]
            }],
            lock_time: 0,
        };
        let transactions = vec![coinbase].into_boxed_slice();
        let mut header = BlockHeader {
            version: 0x2000_0000,
            prev_block_hash: self.tip(),
            merkle_root: calculate_merkle_root(&transactions)?,
            timestamp: now.max(self.median_time_past() + 1),
            bits: BITS,
            nonce: 0,
        };
        while !check_proof_of_work(&header)? {
            header.nonce += 1;
        }
        Ok(serialize_block(&Block { header, transactions }))
    }

    fn last(&self) -> &Entry {
        self.entries.last().expect("the genesis block is never taken back")
    }

    /// The last eleven headers, oldest first.
    fn recent_headers(&self) -> Vec<BlockHeader> {
        let first = self.entries.len().saturating_sub(11);
        self.entries[first..]
            .iter()
            .map(|entry| entry.block.header.clone())
            .collect()
    }

    fn median_time_past(&self) -> u64 {
        let mut times: Vec<u64> = self.recent_headers().iter().map(|header| header.timestamp).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

/// The height as BIP34 wants it, then `extra` to tell blocks of one height apart.
fn coinbase_script(height: u64, spelling: Height, extra: u32) -> Vec<u8> {
    let mut script = match (spelling, height) {
        (Height::Opcode, 1..=16) => vec![OP_1 - 1 + height as u8],
        _ => {
            let mut bytes = height.to_le_bytes().to_vec();
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
            if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
                bytes.push(0);
            }
            [vec![bytes.len() as u8], bytes].concat()
        }
    };
    script.push(4);
    script.extend_from_slice(&extra.to_le_bytes());
    script
}
