//! Messages to frame bytes and back.

use crate::clock::{Report, median};
use stratum_core::{
    binary_sv2::Sv2OptionOwned,
    codec_sv2::{Encoder, MessageFrame},
    common_messages_sv2::{Protocol, SetupConnectionOwned},
    framing_sv2::header::Header,
    mining_sv2::{NewExtendedMiningJobOwned, SubmitSharesExtendedOwned},
    parsers_sv2::{AnyMessage, AnyMessageOwned, CommonMessagesOwned, MiningOwned},
};

/// `encode`: message to frame. `decode`: frame to a message that borrows from it. `own`: the same, kept.
pub fn codec(report: Report) {
    for (name, message) in [
        ("SubmitSharesExtended", share()),
        ("NewExtendedMiningJob", job()),
        ("SetupConnection", setup()),
    ] {
        let mut encoder = Encoder::new();
        let encode = median(
            1000,
            || message.clone(),
            |message| encoder.encode(MessageFrame::try_from(message).unwrap()).unwrap(),
        );
        report(format!("message.encode.{name}"), encode);

        let frame = encoder
            .encode(MessageFrame::try_from(message.clone()).unwrap())
            .unwrap();
        let parse = |frame: &mut Vec<u8>| {
            let header = Header::from_bytes(frame).unwrap();
            let read = AnyMessage::try_from((header, &mut frame[Header::SIZE..])).unwrap();
            std::hint::black_box(&read);
        };
        let decode = median(
            1000,
            || frame.clone(),
            |mut frame| {
                parse(&mut frame);
                frame
            },
        );
        report(format!("message.decode.{name}"), decode);
        let own = median(
            1000,
            || frame.clone(),
            |mut frame| {
                let header = Header::from_bytes(&frame).unwrap();
                AnyMessage::try_from((header, &mut frame[Header::SIZE..]))
                    .unwrap()
                    .into_owned()
            },
        );
        report(format!("message.own.{name}"), own);
    }
}

fn share() -> AnyMessageOwned {
    AnyMessageOwned::Mining(MiningOwned::SubmitSharesExtended(SubmitSharesExtendedOwned {
        channel_id: 4,
        sequence_number: 2,
        job_id: 78,
        nonce: 0x8765_4321,
        ntime: 1_795_000_061,
        version: 0x2000_0000,
        extranonce: vec![9; 8].try_into().unwrap(),
    }))
}

/// Twelve branches and a usual coinbase: 563 bytes of payload.
fn job() -> AnyMessageOwned {
    AnyMessageOwned::Mining(MiningOwned::NewExtendedMiningJob(NewExtendedMiningJobOwned {
        channel_id: 4,
        job_id: 78,
        min_ntime: Sv2OptionOwned::new(Some(1_795_000_000)),
        version: 0x2000_0000,
        version_rolling_allowed: true,
        merkle_path: vec![[3; 32].into(); 12].try_into().unwrap(),
        coinbase_tx_prefix: vec![1; 69].try_into().unwrap(),
        coinbase_tx_suffix: vec![2; 87].try_into().unwrap(),
    }))
}

fn setup() -> AnyMessageOwned {
    let text = |text: &str| text.to_string().try_into().unwrap();
    AnyMessageOwned::Common(CommonMessagesOwned::SetupConnection(SetupConnectionOwned {
        protocol: Protocol::MiningProtocol,
        min_version: 2,
        max_version: 2,
        flags: 4,
        endpoint_host: text("pool.example.org"),
        endpoint_port: 34254,
        vendor: text("ACME"),
        hardware_version: text("S19 Pro"),
        firmware: text("v1.2.3"),
        device_id: text("device-42"),
    }))
}
