//! The Noise handshake step by step, and frames through the encrypting codec.

use crate::clock::{Report, median};
use std::time::Duration;
use stratum_core::{
    bitcoin::secp256k1::{Keypair, Secp256k1},
    codec_sv2::{
        Decrypted, Handshake, NoiseDecoder, NoiseEncoder, SerializedFrame, TransportDecryptState, TransportEncryptState,
    },
    noise_sv2::{Initiator, Responder},
};

const SECRET: [u8; 32] = [7; 32];
const HOUR: Duration = Duration::from_secs(3600);

fn authority() -> [u8; 32] {
    let pair = Keypair::from_seckey_slice(&Secp256k1::new(), &SECRET).unwrap();
    pair.x_only_public_key().0.serialize()
}

pub fn handshake(report: Report) {
    let key = authority();
    let initiator = || Initiator::from_raw_k(key).unwrap();
    let responder = || Responder::from_authority_kp(&key, &SECRET, HOUR).unwrap();
    let started = || {
        let mut initiator = initiator();
        let act1 = initiator.step_0().unwrap();
        (initiator, act1)
    };
    let answered = || {
        let (initiator, act1) = started();
        let (act2, _) = responder().step_1(act1).unwrap();
        (initiator, act2)
    };

    report("noise.initiator.new".into(), median(20, || (), |()| initiator()));
    report(
        "noise.initiator.step0".into(),
        median(20, initiator, |mut initiator| initiator.step_0().unwrap()),
    );
    report("noise.responder.new".into(), median(20, || (), |()| responder()));
    let step_1 = median(
        20,
        || (responder(), started().1),
        |(mut responder, act1)| responder.step_1(act1).unwrap(),
    );
    report("noise.responder.step1".into(), step_1);
    let step_2 = median(20, answered, |(mut initiator, act2)| initiator.step_2(act2).unwrap());
    report("noise.initiator.step2".into(), step_2);
    let responding = median(20, || started().1, |act1| responder().step_1(act1).unwrap());
    report("noise.responder.whole".into(), responding);
    let whole = median(
        20,
        || (),
        |()| {
            let (mut initiator, act1) = started();
            let (act2, server) = responder().step_1(act1).unwrap();
            (initiator.step_2(act2).unwrap(), server)
        },
    );
    report("noise.handshake.whole".into(), whole);
}

pub fn frames(report: Report) {
    for payload in [64, 256, 1024, 4096, 65_519] {
        let batch = if payload > 10_000 { 20 } else { 500 };
        let plain = frame(payload);
        let (mut sender, _) = way();
        let mut encoder = NoiseEncoder::new();
        let mut decoder = NoiseDecoder::new();
        let make = || SerializedFrame::from_bytes(plain.clone()).unwrap();

        let encrypt = median(batch, make, |frame| {
            encoder.encode_transport(frame, &mut sender).unwrap()
        });
        report(format!("frame.encrypt.{payload}"), encrypt);

        let (mut sender, receiver) = way();
        let mut state = Some(receiver);
        let mut encoder = NoiseEncoder::new();
        let decrypt = median(
            batch,
            || encoder.encode_transport(make(), &mut sender).unwrap(),
            |sent| {
                let (frame, next) = decode(&mut decoder, state.take().unwrap(), &sent);
                state = Some(next);
                frame
            },
        );
        report(format!("frame.decrypt.{payload}"), decrypt);
    }
}

fn frame(payload: usize) -> Vec<u8> {
    let mut frame = vec![0x00, 0x40, 0x7f];
    frame.extend_from_slice(&(payload as u32).to_le_bytes()[..3]);
    frame.resize(6 + payload, 0x5a);
    frame
}

/// A finished handshake, seen as the way from the initiator to the responder.
fn way() -> (TransportEncryptState, TransportDecryptState) {
    let key = authority();
    let (act1, initiator) = Handshake::initiator(Initiator::from_raw_k(key).unwrap())
        .step_0()
        .unwrap();
    let responder = Handshake::responder(Responder::from_authority_kp(&key, &SECRET, HOUR).unwrap());
    let (act2, server) = responder.step_1(act1.payload().try_into().unwrap()).unwrap();
    let client = initiator.step_2(act2.payload().try_into().unwrap()).unwrap();
    (client.split().0, server.split().1)
}

fn decode(
    decoder: &mut NoiseDecoder,
    mut state: TransportDecryptState,
    mut bytes: &[u8],
) -> (SerializedFrame, TransportDecryptState) {
    loop {
        match decoder.next_transport_frame(state).unwrap() {
            Decrypted::Frame(frame, next) => return (frame, next),
            Decrypted::Incomplete(wanted, next) => {
                let (now, later) = bytes.split_at(wanted);
                decoder.writable().copy_from_slice(now);
                bytes = later;
                state = next;
            }
        }
    }
}
