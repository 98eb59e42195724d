//! The server's side of mining channels: a template becomes a job, a share becomes a verdict.

use crate::clock::{Report, median};
use stratum_core::{
    bitcoin::{Amount, CompactTarget, ScriptBuf, Target, TxOut},
    channels_sv2::{
        extranonce_manager::ExtranonceAllocator,
        server::{
            extended::ExtendedChannel, group::GroupChannel, share_accounting::ShareValidationResult,
            standard::StandardChannel,
        },
    },
    mining_sv2::{SubmitSharesExtendedOwned, SubmitSharesStandardOwned},
    template_distribution_sv2::{NewTemplateOwned, SetNewPrevHashOwned},
};

const NTIME: u32 = 1_795_000_000;
const VERSION: u32 = 0x2000_0000;
/// Too hard to be met by accident, so that a share is a share and never a block.
const NBITS: u32 = 0x1b00_ffff;
const VALUE: u64 = 312_500_000;
const TAG: &str = "bench";
const EXTRANONCE: u8 = 20;
const PREFIX: u8 = 4;
/// Shares a minute that the channel expects: so many that its memory of seen shares never fills up.
const RATE: f32 = 1e6;

fn allocator() -> ExtranonceAllocator {
    ExtranonceAllocator::new(vec![1], EXTRANONCE, 1 << 24).unwrap()
}

fn template(future: bool) -> NewTemplateOwned {
    let commitment = [&[0; 8][..], &[38, 0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed], &[5; 32]].concat();
    NewTemplateOwned {
        template_id: 1,
        future_template: future,
        version: VERSION,
        coinbase_tx_version: 2,
        coinbase_prefix: vec![3, 0x48, 0x9a, 0x0e].try_into().unwrap(),
        coinbase_tx_input_sequence: u32::MAX - 1,
        coinbase_tx_value_remaining: VALUE,
        coinbase_tx_outputs_count: 1,
        coinbase_tx_outputs: commitment.try_into().unwrap(),
        coinbase_tx_locktime: 957_000,
        merkle_path: vec![[3; 32].into(); 12].try_into().unwrap(),
    }
}

fn payout() -> Vec<TxOut> {
    let script_pubkey = ScriptBuf::from([&[0, 20][..], &[8; 20]].concat());
    vec![TxOut {
        value: Amount::from_sat(VALUE),
        script_pubkey,
    }]
}

fn tip() -> SetNewPrevHashOwned {
    SetNewPrevHashOwned {
        template_id: 1,
        prev_hash: [4; 32].into(),
        header_timestamp: NTIME,
        n_bits: NBITS,
        target: Target::from_compact(CompactTarget::from_consensus(NBITS))
            .to_le_bytes()
            .into(),
    }
}

fn standard() -> StandardChannel {
    let prefix = allocator().allocate_standard().unwrap();
    let mut channel =
        StandardChannel::new_for_pool(1, "user".into(), prefix, Target::MAX, 1.0, 10, RATE, TAG.into(), None).unwrap();
    channel.set_target(Target::from_le_bytes([0xff; 32])).unwrap();
    channel.on_new_template(template(true), payout()).unwrap();
    channel.on_set_new_prev_hash(tip()).unwrap();
    channel
}

fn extended() -> ExtendedChannel {
    let size = (EXTRANONCE - PREFIX) as u16;
    let prefix = allocator().allocate_extended(size.into()).unwrap();
    let mut channel = ExtendedChannel::new_for_pool(
        1,
        "user".into(),
        prefix,
        Target::MAX,
        1.0,
        true,
        size,
        10,
        RATE,
        TAG.into(),
        None,
    )
    .unwrap();
    channel.set_target(Target::from_le_bytes([0xff; 32])).unwrap();
    channel.on_new_template(template(true), payout()).unwrap();
    channel.on_set_new_prev_hash(tip()).unwrap();
    channel
}

fn group() -> GroupChannel {
    let mut group = GroupChannel::new_for_pool(1, EXTRANONCE.into(), true, TAG.into()).unwrap();
    group.on_new_template(template(true), payout()).unwrap();
    group.on_set_new_prev_hash(tip()).unwrap();
    group
}

/// One job for the current tip out of one template, a channel.
pub fn jobs(report: Report) {
    let work = || (template(false), payout());
    let mut channel = standard();
    let time = median(200, work, |(template, payout)| {
        channel.on_new_template(template, payout).unwrap()
    });
    report("job.standard.onNewTemplate".into(), time);
    let mut channel = extended();
    let time = median(200, work, |(template, payout)| {
        channel.on_new_template(template, payout).unwrap()
    });
    report("job.extended.onNewTemplate".into(), time);
    let time = median(
        200,
        || (),
        |()| channel.get_active_job().unwrap().get_job_message().clone(),
    );
    report("job.extended.message".into(), time);
    let mut group = group();
    let time = median(200, work, |(template, payout)| {
        group.on_new_template(template, payout).unwrap()
    });
    report("job.group.onNewTemplate".into(), time);
}

/// Valid shares that all differ. Each is also remembered by the channel, as a server's must be.
pub fn shares(report: Report) {
    let mut nonce = 0;
    let mut channel = standard();
    let job_id = channel.get_active_job().unwrap().get_job_id();
    let time = median(
        1000,
        || {
            nonce += 1;
            SubmitSharesStandardOwned {
                channel_id: 1,
                sequence_number: nonce,
                job_id,
                nonce,
                ntime: NTIME,
                version: VERSION,
            }
        },
        |share| {
            assert!(matches!(
                channel.validate_share(share),
                Ok(ShareValidationResult::Valid(_))
            ))
        },
    );
    report("share.standard.valid".into(), time);

    let mut channel = extended();
    let job_id = channel.get_active_job().unwrap().get_job_id();
    let mut share = || {
        nonce += 1;
        SubmitSharesExtendedOwned {
            channel_id: 1,
            sequence_number: nonce,
            job_id,
            nonce,
            ntime: NTIME,
            version: VERSION,
            extranonce: vec![7; (EXTRANONCE - PREFIX) as usize].try_into().unwrap(),
        }
    };
    let valid = |share| {
        assert!(matches!(
            channel.validate_share(share),
            Ok(ShareValidationResult::Valid(_))
        ))
    };
    report("share.extended.valid".into(), median(1000, &mut share, valid));
}
