//! Complete Noise NX sessions of which every private key is known: both sides are SRI's own, their randomness is ours.

use crate::{hex, pattern};
use rand::{CryptoRng, RngCore};
use serde_json::{Value, json};
use std::time::Duration;
use stratum_core::{
    bitcoin::{
        hashes::{Hash, sha256},
        secp256k1::{Keypair, Parity, Secp256k1, SecretKey, ellswift::ElligatorSwift},
    },
    codec_sv2::{
        Decrypted, Encoder, Handshake, MessageFrame, NoiseDecoder, NoiseEncoder, SerializedFrame, Transport,
        TransportDecryptState, TransportEncryptState,
    },
    common_messages_sv2::{Protocol, SetupConnectionOwned, SetupConnectionSuccess},
    noise_sv2::{Initiator, Responder},
    parsers_sv2::CommonMessagesOwned,
};

pub fn runs() -> Vec<Value> {
    vec![
        run("initiator checks the authority key", 1, true, 1_795_000_000, 3600),
        run(
            "initiator has no authority key, certificate ends with the epoch",
            5,
            false,
            u32::MAX - 60,
            3600,
        ),
    ]
}

/// Randomness that hands out the given 32-byte strings, in order, and nothing else.
struct Script<'a>(&'a [[u8; 32]]);

impl RngCore for Script<'_> {
    fn fill_bytes(&mut self, out: &mut [u8]) {
        let (next, rest) = self.0.split_first().expect("the script is over");
        out.copy_from_slice(next);
        self.0 = rest;
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(out);
        Ok(())
    }

    fn next_u32(&mut self) -> u32 {
        unreachable!("keys are drawn as bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("keys are drawn as bytes")
    }
}

impl CryptoRng for Script<'_> {}

fn secret(seed: u8) -> [u8; 32] {
    sha256::Hash::hash(&[b"sri-golden noise", &[seed][..]].concat()).to_byte_array()
}

/// SRI negates a drawn key whose point has an odd y; the ElligatorSwift bytes are those of the even point.
fn key(drawn: [u8; 32]) -> (Value, [u8; 64]) {
    let secp = Secp256k1::new();
    let mut private = SecretKey::from_slice(&drawn).unwrap();
    let (x_only, parity) = private.x_only_public_key(&secp);
    if parity == Parity::Odd {
        private = private.negate();
    }
    let ellswift = ElligatorSwift::from_pubkey(private.public_key(&secp)).to_array();
    let shown = json!({
        "drawn": hex(&drawn),
        "private": hex(&private.secret_bytes()),
        "xOnly": hex(&x_only.serialize()),
        "ellswift": hex(&ellswift),
    });
    (shown, ellswift)
}

fn run(name: &str, seed: u8, checked: bool, now: u32, validity: u32) -> Value {
    let [authority, ephemeral, answer, fixed, aux] = std::array::from_fn(|i| secret(seed + i as u8 * 16));
    let authority_key = Keypair::from_seckey_slice(&Secp256k1::new(), &authority)
        .unwrap()
        .x_only_public_key()
        .0;

    let initiator = match checked {
        true => Initiator::from_raw_k_with_rng(authority_key.serialize(), &mut Script(&[ephemeral])).unwrap(),
        false => Initiator::without_pk_with_rng(&mut Script(&[ephemeral])).unwrap(),
    };
    let responder = Responder::from_authority_kp_with_rng(
        &authority_key.serialize(),
        &authority,
        Duration::from_secs(validity.into()),
        &mut Script(&[answer, fixed]),
    )
    .unwrap();

    let (act1, initiator) = Handshake::initiator(initiator).step_0().unwrap();
    let act1 = act1.payload().to_vec();
    let (act2, server) = Handshake::responder(responder)
        .step_1_with_now_rng(act1.clone().try_into().unwrap(), now, &mut Script(&[aux]))
        .unwrap();
    let act2 = act2.payload().to_vec();
    let client = initiator
        .step_2_with_now(act2.clone().try_into().unwrap(), now)
        .unwrap();

    let (initiator_key, first) = key(ephemeral);
    let (responder_key, second) = key(answer);
    assert_eq!(act1, first);
    assert_eq!(act2[..64], second);
    json!({
        "name": name,
        "authority": { "private": hex(&authority), "xOnly": hex(&authority_key.serialize()), "checked": checked },
        "initiatorEphemeral": initiator_key,
        "responderEphemeral": responder_key,
        "responderStatic": key(fixed).0,
        "certificate": { "version": 0, "now": now, "validFrom": now, "notValidAfter": now.saturating_add(validity), "aux": hex(&aux) },
        "act1": hex(&act1),
        "act2": hex(&act2),
        "transport": talk(client, server, if checked { frames() } else { short_frames() }),
    })
}

/// One direction: SRI's encoder on one side and its decoder on the other.
struct Way {
    encoder: NoiseEncoder,
    sender: TransportEncryptState,
    decoder: NoiseDecoder,
    receiver: Option<TransportDecryptState>,
}

impl Way {
    fn new(sender: TransportEncryptState, receiver: TransportDecryptState) -> Self {
        Self {
            encoder: NoiseEncoder::new(),
            sender,
            decoder: NoiseDecoder::new(),
            receiver: Some(receiver),
        }
    }

    fn send(&mut self, plain: &[u8]) -> Vec<u8> {
        let frame = SerializedFrame::from_bytes(plain.to_vec()).unwrap();
        let sent = self.encoder.encode_transport(frame, &mut self.sender).unwrap();
        assert_eq!(self.receive(&sent), plain);
        sent
    }

    fn receive(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        loop {
            match self
                .decoder
                .next_transport_frame(self.receiver.take().unwrap())
                .unwrap()
            {
                Decrypted::Frame(frame, receiver) => {
                    self.receiver = Some(receiver);
                    return frame.into_bytes();
                }
                Decrypted::Incomplete(wanted, receiver) => {
                    self.receiver = Some(receiver);
                    let (now, later) = bytes.split_at(wanted);
                    self.decoder.writable().copy_from_slice(now);
                    bytes = later;
                }
            }
        }
    }
}

/// Frames in both directions, in the order they were sent: each direction counts its own nonces.
fn talk(client: Transport, server: Transport, frames: Vec<Sending>) -> Vec<Value> {
    let (client_out, client_in) = client.split();
    let (server_out, server_in) = server.split();
    let mut to_server = Way::new(client_out, server_in);
    let mut to_client = Way::new(server_out, client_in);
    frames
        .into_iter()
        .map(|(from, note, plain)| {
            let way = if from == "initiator" {
                &mut to_server
            } else {
                &mut to_client
            };
            let sent = way.send(&plain);
            json!({ "from": from, "note": note, "frame": shown(&plain, 1024), "ciphertext": shown(&sent, 65_574) })
        })
        .collect()
}

/// Who sends, why, and what.
type Sending = (&'static str, &'static str, Vec<u8>);

fn short_frames() -> Vec<Sending> {
    let setup = SetupConnectionOwned {
        protocol: Protocol::MiningProtocol,
        min_version: 2,
        max_version: 2,
        flags: 1,
        endpoint_host: "pool.example.org".to_string().try_into().unwrap(),
        endpoint_port: 34254,
        vendor: "ACME".to_string().try_into().unwrap(),
        hardware_version: "S19 Pro".to_string().try_into().unwrap(),
        firmware: "v1.2.3".to_string().try_into().unwrap(),
        device_id: "".to_string().try_into().unwrap(),
    };
    let success = SetupConnectionSuccess {
        used_version: 2,
        flags: 0,
    };
    let setup = encode(CommonMessagesOwned::SetupConnection(setup));
    let success = encode(CommonMessagesOwned::SetupConnectionSuccess(success));
    vec![
        ("initiator", "SetupConnection", setup),
        ("responder", "SetupConnection.Success", success),
        ("initiator", "empty payload: a header block and nothing else", raw(0)),
        ("responder", "empty payload", raw(0)),
    ]
}

/// The short frames, then some around the size of a Noise block, then one that shows the nonces counted every block.
fn frames() -> Vec<Sending> {
    let mut frames = short_frames();
    frames.extend([
        ("responder", "one full block", raw(65_519)),
        ("initiator", "one byte more than a block", raw(65_520)),
        ("responder", "two full blocks and a rest", raw(2 * 65_519 + 1000)),
        ("initiator", "one byte", raw(1)),
        ("responder", "one byte", raw(1)),
    ]);
    frames
}

fn encode(message: CommonMessagesOwned) -> Vec<u8> {
    Encoder::new().encode(MessageFrame::try_from(message).unwrap()).unwrap()
}

/// A frame of an experimental extension whose payload is the pattern.
fn raw(length: usize) -> Vec<u8> {
    let mut frame = vec![0x00, 0x40, 0x7f];
    frame.extend_from_slice(&(length as u32).to_le_bytes()[..3]);
    frame.extend(pattern(length));
    frame
}

/// Bytes up to `limit` whole; of longer ones the length, the SHA-256 and both ends.
fn shown(bytes: &[u8], limit: usize) -> Value {
    if bytes.len() <= limit {
        return json!({ "hex": hex(bytes) });
    }
    json!({
        "length": bytes.len(),
        "sha256": hex(sha256::Hash::hash(bytes).as_byte_array()),
        "first": hex(&bytes[..64]),
        "last": hex(&bytes[bytes.len() - 64..]),
    })
}
