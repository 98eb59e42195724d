//! Every message three times: with usual values, with the least and with the most a field can hold.

use crate::{hex, pattern};
use serde_json::{Map, Value, json};
use stratum_core::{
    binary_sv2::{Sv2OptionOwned, U256Owned, to_bytes},
    codec_sv2::{Encoder, MessageFrame},
    common_messages_sv2::Protocol,
    extensions_sv2::UserIdentity,
    framing_sv2::header::Header,
    mining_sv2::SubmitSharesExtendedOwned,
    parsers_sv2::*,
};

/// One field of one vector: what the JSON shows and what the crate encodes.
type Field<T> = (Value, T);

fn num<T: Into<u64> + Copy>(value: T) -> Field<T> {
    (json!(value.into()), value)
}

fn big(value: u64) -> Field<u64> {
    (json!(value.to_string()), value)
}

fn real(value: f32) -> Field<f32> {
    (json!(value), value)
}

fn flag(value: bool) -> Field<bool> {
    (json!(value), value)
}

fn role(value: Protocol) -> Field<Protocol> {
    (json!(value as u8), value)
}

fn maybe(value: Option<u32>) -> Field<Sv2OptionOwned<u32>> {
    (json!(value), Sv2OptionOwned::new(value))
}

fn text<T: TryFrom<Vec<u8>>>(value: &str) -> Field<T> {
    (json!(value), fit(value.as_bytes().to_vec()))
}

fn data<T: TryFrom<Vec<u8>>>(length: usize) -> Field<T> {
    let bytes = pattern(length);
    (json!(hex(&bytes)), fit(bytes))
}

/// All zeros, all ones, or bytes that count up from `first`.
fn hash(first: u8) -> Field<U256Owned> {
    let step = u8::from(first != 0 && first != 0xff);
    let bytes: [u8; 32] = std::array::from_fn(|i| first.wrapping_add(i as u8 * step));
    (json!(hex(&bytes)), bytes.into())
}

fn list<T, S: TryFrom<Vec<T>>>(items: impl Iterator<Item = Field<T>>) -> Field<S> {
    let (shown, inner): (Vec<Value>, Vec<T>) = items.unzip();
    (json!(shown), fit(inner))
}

fn hashes<S: TryFrom<Vec<U256Owned>>>(count: u8) -> Field<S> {
    list((0..count).map(|i| hash(i.wrapping_mul(37).max(1))))
}

fn blobs<T: TryFrom<Vec<u8>>, S: TryFrom<Vec<T>>>(lengths: &[usize]) -> Field<S> {
    list(lengths.iter().map(|length| data(*length)))
}

fn nums<T: Into<u64> + Copy, S: TryFrom<Vec<T>>>(values: &[T]) -> Field<S> {
    list(values.iter().map(|value| num(*value)))
}

fn fit<F, T: TryFrom<F>>(value: F) -> T {
    T::try_from(value).unwrap_or_else(|_| panic!("a value does not fit its field"))
}

/// The spec's name of a field that SRI names otherwise, in camel case.
fn spec_name(field: &str) -> String {
    let name = match field {
        "token" => "mining_job_token",
        "coinbase_outputs" => "coinbase_tx_outputs",
        other => other,
    };
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_string();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(1);
        name + &head.to_uppercase() + tail
    })
}

/// `SetupConnectionSuccess` is `SetupConnection.Success` in the spec.
fn dotted(name: &str) -> String {
    ["Success", "Error"]
        .iter()
        .find_map(|end| Some(format!("{}.{end}", name.strip_suffix(end)?)))
        .unwrap_or_else(|| name.to_string())
}

fn record(family: &str, name: &str, case: &str, fields: Value, frame: &[u8]) -> Value {
    let header = Header::from_bytes(frame).unwrap();
    json!({
        "name": dotted(name),
        "subprotocol": family,
        "case": case,
        "extensionType": header.ext_type_without_channel_msg(),
        "msgType": header.msg_type(),
        "channelBit": header.channel_msg(),
        "fields": fields,
        "payloadHex": hex(&frame[Header::SIZE..]),
        "frameHex": hex(frame),
    })
}

/// Rows of `field: kind(typical, least, most)`. SRI encodes and frames each, and has to read its own bytes back.
macro_rules! message {
    ($out:ident, $family:ident($owned:ident), $name:ident { $($field:ident: $kind:ident($($value:expr),+);)* }) => {
        for (column, case) in ["typical", "least", "most"].iter().enumerate() {
            let mut fields = Map::new();
            $(
                let (shown, $field) = [$(|| $kind($value)),+][column]();
                fields.insert(spec_name(stringify!($field)), shown);
            )*
            let message = $family($owned::$name($name { $($field),* }));
            let framed = MessageFrame::try_from(message).unwrap();
            let mut frame = Encoder::new().encode(framed).unwrap();
            let header = Header::from_bytes(&frame).unwrap();
            let payload = &mut frame[Header::SIZE..];
            let before = payload.to_vec();
            let read = AnyMessage::try_from((header, payload)).unwrap();
            assert_eq!(to_bytes(read.into_owned()).unwrap(), before);
            $out.push(record(stringify!($family), stringify!($name), case, Value::Object(fields), &frame));
        }
    };
}

use AnyMessageOwned::{Common, JobDeclaration, Mining, TemplateDistribution};

#[allow(non_snake_case)]
fn ExtensionsNegotiation(message: ExtensionsNegotiationOwned) -> AnyMessageOwned {
    AnyMessageOwned::Extensions(ExtensionsOwned::ExtensionsNegotiation(message))
}

const LONG: &str = "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ.\
0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ.\
0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ.\
0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ";

const TOP: u32 = u32::MAX;

pub fn all() -> Vec<Value> {
    [
        common(),
        mining(),
        declaration(),
        templates(),
        extensions(),
        identified_shares(),
    ]
    .concat()
}

fn common() -> Vec<Value> {
    use stratum_core::common_messages_sv2::{
        ChannelEndpointChanged, ReconnectOwned as Reconnect, SetupConnectionErrorOwned as SetupConnectionError,
        SetupConnectionOwned as SetupConnection, SetupConnectionSuccess,
    };
    let mut out = Vec::new();
    message!(out, Common(CommonMessagesOwned), SetupConnection {
        protocol: role(Protocol::MiningProtocol, Protocol::JobDeclarationProtocol, Protocol::TemplateDistributionProtocol);
        min_version: num(2, 0, u16::MAX);
        max_version: num(2, 0, u16::MAX);
        flags: num(5, 0, TOP);
        endpoint_host: text("pool.example.org", "", LONG);
        endpoint_port: num(34254, 0, u16::MAX);
        vendor: text("ACME", "", LONG);
        hardware_version: text("S19 Pro", "", LONG);
        firmware: text("v1.2.3-µ", "", LONG);
        device_id: text("device-42", "", LONG);
    });
    message!(out, Common(CommonMessagesOwned), SetupConnectionSuccess {
        used_version: num(2, 0, u16::MAX);
        flags: num(2, 0, TOP);
    });
    message!(out, Common(CommonMessagesOwned), SetupConnectionError {
        flags: num(0x8000_0001, 0, TOP);
        error_code: text("unsupported-feature-flags", "", LONG);
    });
    message!(out, Common(CommonMessagesOwned), ChannelEndpointChanged {
        channel_id: num(0x0102_0304, 0, TOP);
    });
    message!(out, Common(CommonMessagesOwned), Reconnect {
        new_host: text("192.0.2.7", "", LONG);
        new_port: num(3336, 0, u16::MAX);
    });
    out
}

fn mining() -> Vec<Value> {
    use stratum_core::mining_sv2::{
        CloseChannelOwned as CloseChannel, NewExtendedMiningJobOwned as NewExtendedMiningJob,
        NewMiningJobOwned as NewMiningJob, OpenExtendedMiningChannelOwned as OpenExtendedMiningChannel,
        OpenExtendedMiningChannelSuccessOwned as OpenExtendedMiningChannelSuccess,
        OpenMiningChannelErrorOwned as OpenMiningChannelError,
        OpenStandardMiningChannelOwned as OpenStandardMiningChannel,
        OpenStandardMiningChannelSuccessOwned as OpenStandardMiningChannelSuccess,
        SetCustomMiningJobErrorOwned as SetCustomMiningJobError, SetCustomMiningJobOwned as SetCustomMiningJob,
        SetCustomMiningJobSuccess, SetExtranoncePrefixOwned as SetExtranoncePrefix,
        SetGroupChannelOwned as SetGroupChannel, SetNewPrevHashOwned as SetNewPrevHash, SetTargetOwned as SetTarget,
        SubmitSharesErrorOwned as SubmitSharesError, SubmitSharesExtendedOwned as SubmitSharesExtended,
        SubmitSharesStandard, SubmitSharesSuccess, UpdateChannelErrorOwned as UpdateChannelError,
        UpdateChannelOwned as UpdateChannel,
    };
    let mut out = Vec::new();
    message!(out, Mining(MiningOwned), OpenStandardMiningChannel {
        request_id: num(10, 0, TOP);
        user_identity: text("bc1qexample.worker1", "", LONG);
        nominal_hash_rate: real(1.5e14, 0.0, f32::MAX);
        max_target: hash(0x11, 0, 0xff);
    });
    message!(out, Mining(MiningOwned), OpenStandardMiningChannelSuccess {
        request_id: num(10, 0, TOP);
        channel_id: num(3, 0, TOP);
        target: hash(0x21, 0, 0xff);
        extranonce_prefix: data(20, 0, 32);
        group_channel_id: num(1, 0, TOP);
    });
    message!(out, Mining(MiningOwned), OpenMiningChannelError {
        request_id: num(10, 0, TOP);
        error_code: text("max-target-out-of-range", "", LONG);
    });
    message!(out, Mining(MiningOwned), OpenExtendedMiningChannel {
        request_id: num(11, 0, TOP);
        user_identity: text("farm.rack-7", "", LONG);
        nominal_hash_rate: real(2.5e15, 0.0, f32::MIN_POSITIVE);
        max_target: hash(0x31, 0, 0xff);
        min_extranonce_size: num(8, 0, u16::MAX);
    });
    message!(out, Mining(MiningOwned), OpenExtendedMiningChannelSuccess {
        request_id: num(11, 0, TOP);
        channel_id: num(4, 0, TOP);
        target: hash(0x41, 0, 0xff);
        extranonce_size: num(16, 0, u16::MAX);
        extranonce_prefix: data(4, 0, 32);
        group_channel_id: num(2, 0, TOP);
    });
    message!(out, Mining(MiningOwned), NewMiningJob {
        channel_id: num(3, 0, TOP);
        job_id: num(77, 0, TOP);
        min_ntime: maybe(Some(1_795_000_000), None, Some(TOP));
        version: num(0x2000_0000, 0, TOP);
        merkle_root: hash(0x51, 0, 0xff);
    });
    message!(out, Mining(MiningOwned), UpdateChannel {
        channel_id: num(3, 0, TOP);
        nominal_hash_rate: real(1.25e12, 0.0, f32::MAX);
        maximum_target: hash(0x61, 0, 0xff);
    });
    message!(out, Mining(MiningOwned), UpdateChannelError {
        channel_id: num(3, 0, TOP);
        error_code: text("invalid-channel-id", "", LONG);
    });
    message!(out, Mining(MiningOwned), CloseChannel {
        channel_id: num(3, 0, TOP);
        reason_code: text("shutdown", "", LONG);
    });
    message!(out, Mining(MiningOwned), SetExtranoncePrefix {
        channel_id: num(3, 0, TOP);
        extranonce_prefix: data(4, 0, 32);
    });
    message!(out, Mining(MiningOwned), SubmitSharesStandard {
        channel_id: num(3, 0, TOP);
        sequence_number: num(1, 0, TOP);
        job_id: num(77, 0, TOP);
        nonce: num(0x1234_5678, 0, TOP);
        ntime: num(1_795_000_060, 0, TOP);
        version: num(0x2000_6000, 0, TOP);
    });
    message!(out, Mining(MiningOwned), SubmitSharesExtended {
        channel_id: num(4, 0, TOP);
        sequence_number: num(2, 0, TOP);
        job_id: num(78, 0, TOP);
        nonce: num(0x8765_4321, 0, TOP);
        ntime: num(1_795_000_061, 0, TOP);
        version: num(0x3fff_e000, 0, TOP);
        extranonce: data(16, 0, 32);
    });
    message!(out, Mining(MiningOwned), SubmitSharesSuccess {
        channel_id: num(4, 0, TOP);
        last_sequence_number: num(20, 0, TOP);
        new_submits_accepted_count: num(10, 0, TOP);
        new_shares_sum: big(81_920, 0, u64::MAX);
    });
    message!(out, Mining(MiningOwned), SubmitSharesError {
        channel_id: num(4, 0, TOP);
        sequence_number: num(21, 0, TOP);
        error_code: text("difficulty-too-low", "", LONG);
    });
    message!(out, Mining(MiningOwned), NewExtendedMiningJob {
        channel_id: num(4, 0, TOP);
        job_id: num(78, 0, TOP);
        min_ntime: maybe(None, Some(0), Some(TOP));
        version: num(0x2000_0000, 0, TOP);
        version_rolling_allowed: flag(true, false, true);
        merkle_path: hashes(12, 0, 255);
        coinbase_tx_prefix: data(69, 0, 300);
        coinbase_tx_suffix: data(87, 0, 65_535);
    });
    message!(out, Mining(MiningOwned), SetNewPrevHash {
        channel_id: num(4, 0, TOP);
        job_id: num(78, 0, TOP);
        prev_hash: hash(0x71, 0, 0xff);
        min_ntime: num(1_795_000_000, 0, TOP);
        nbits: num(0x1702_5b6f, 0, TOP);
    });
    message!(out, Mining(MiningOwned), SetTarget {
        channel_id: num(4, 0, TOP);
        maximum_target: hash(0x81, 0, 0xff);
    });
    message!(out, Mining(MiningOwned), SetCustomMiningJob {
        channel_id: num(4, 0, TOP);
        request_id: num(12, 0, TOP);
        token: data(8, 0, 255);
        version: num(0x2000_0000, 0, TOP);
        prev_hash: hash(0x91, 0, 0xff);
        min_ntime: num(1_795_000_000, 0, TOP);
        nbits: num(0x1702_5b6f, 0, TOP);
        coinbase_tx_version: num(2, 0, TOP);
        coinbase_prefix: data(17, 0, 255);
        coinbase_tx_input_n_sequence: num(0xffff_fffe, 0, TOP);
        coinbase_tx_outputs: data(78, 0, 400);
        coinbase_tx_locktime: num(957_000, 0, TOP);
        merkle_path: hashes(3, 0, 255);
    });
    message!(out, Mining(MiningOwned), SetCustomMiningJobSuccess {
        channel_id: num(4, 0, TOP);
        request_id: num(12, 0, TOP);
        job_id: num(79, 0, TOP);
    });
    message!(out, Mining(MiningOwned), SetCustomMiningJobError {
        channel_id: num(4, 0, TOP);
        request_id: num(12, 0, TOP);
        error_code: text("invalid-mining-job-token", "", LONG);
    });
    message!(out, Mining(MiningOwned), SetGroupChannel {
        group_channel_id: num(1, 0, TOP);
        channel_ids: nums(&[3, 4, TOP], &[0; 0], &[0x0a0b_0c0d; 300]);
    });
    out
}

fn declaration() -> Vec<Value> {
    use stratum_core::job_declaration_sv2::{
        AllocateMiningJobTokenOwned as AllocateMiningJobToken,
        AllocateMiningJobTokenSuccessOwned as AllocateMiningJobTokenSuccess,
        DeclareMiningJobErrorOwned as DeclareMiningJobError, DeclareMiningJobOwned as DeclareMiningJob,
        DeclareMiningJobSuccessOwned as DeclareMiningJobSuccess,
        ProvideMissingTransactionsOwned as ProvideMissingTransactions,
        ProvideMissingTransactionsSuccessOwned as ProvideMissingTransactionsSuccess, PushSolutionOwned as PushSolution,
    };
    let mut out = Vec::new();
    message!(out, JobDeclaration(JobDeclarationOwned), AllocateMiningJobToken {
        user_identifier: text("declarator", "", LONG);
        request_id: num(1, 0, TOP);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), AllocateMiningJobTokenSuccess {
        request_id: num(1, 0, TOP);
        mining_job_token: data(8, 0, 255);
        coinbase_outputs: data(32, 0, 300);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), ProvideMissingTransactions {
        request_id: num(2, 0, TOP);
        unknown_tx_position_list: nums(&[0, 1, 513], &[0; 0], &[0xfffe; 300]);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), ProvideMissingTransactionsSuccess {
        request_id: num(2, 0, TOP);
        transaction_list: blobs(&[60, 222], &[], &[0, 1, 300]);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), DeclareMiningJob {
        request_id: num(2, 0, TOP);
        mining_job_token: data(8, 0, 255);
        version: num(0x2000_0000, 0, TOP);
        coinbase_tx_prefix: data(65, 0, 300);
        coinbase_tx_suffix: data(110, 0, 300);
        wtxid_list: hashes(3, 0, 255);
        excess_data: data(5, 0, 300);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), DeclareMiningJobSuccess {
        request_id: num(2, 0, TOP);
        new_mining_job_token: data(8, 0, 255);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), DeclareMiningJobError {
        request_id: num(2, 0, TOP);
        error_code: text("stale-chain-tip", "", LONG);
        error_details: data(12, 0, 300);
    });
    message!(out, JobDeclaration(JobDeclarationOwned), PushSolution {
        extranonce: data(20, 0, 32);
        prev_hash: hash(0xa1, 0, 0xff);
        nonce: num(0x1234_5678, 0, TOP);
        ntime: num(1_795_000_060, 0, TOP);
        nbits: num(0x1702_5b6f, 0, TOP);
        version: num(0x2000_0000, 0, TOP);
    });
    out
}

fn templates() -> Vec<Value> {
    use stratum_core::template_distribution_sv2::{
        CoinbaseOutputConstraints, NewTemplateOwned as NewTemplate, RequestTransactionData,
        RequestTransactionDataErrorOwned as RequestTransactionDataError,
        RequestTransactionDataSuccessOwned as RequestTransactionDataSuccess, SetNewPrevHashOwned as SetNewPrevHash,
        SubmitSolutionOwned as SubmitSolution,
    };
    const ID: u64 = 0x0102_0304_0506_0708;
    let mut out = Vec::new();
    message!(out, TemplateDistribution(TemplateDistributionOwned), CoinbaseOutputConstraints {
        coinbase_output_max_additional_size: num(100, 0, TOP);
        coinbase_output_max_additional_sigops: num(400, 0, u16::MAX);
    });
    message!(out, TemplateDistribution(TemplateDistributionOwned), NewTemplate {
        template_id: big(ID, 0, u64::MAX);
        future_template: flag(true, false, true);
        version: num(0x2000_0000, 0, TOP);
        coinbase_tx_version: num(2, 0, TOP);
        coinbase_prefix: data(4, 0, 255);
        coinbase_tx_input_sequence: num(0xffff_fffe, 0, TOP);
        coinbase_tx_value_remaining: big(312_512_345, 0, u64::MAX);
        coinbase_tx_outputs_count: num(1, 0, TOP);
        coinbase_tx_outputs: data(47, 0, 300);
        coinbase_tx_locktime: num(957_000, 0, TOP);
        merkle_path: hashes(3, 0, 255);
    });
    message!(out, TemplateDistribution(TemplateDistributionOwned), SetNewPrevHash {
        template_id: big(ID, 0, u64::MAX);
        prev_hash: hash(0xb1, 0, 0xff);
        header_timestamp: num(1_795_000_000, 0, TOP);
        n_bits: num(0x1702_5b6f, 0, TOP);
        target: hash(0xc1, 0, 0xff);
    });
    message!(out, TemplateDistribution(TemplateDistributionOwned), RequestTransactionData {
        template_id: big(ID, 0, u64::MAX);
    });
    message!(out, TemplateDistribution(TemplateDistributionOwned), RequestTransactionDataSuccess {
        template_id: big(ID, 0, u64::MAX);
        excess_data: data(5, 0, 300);
        transaction_list: blobs(&[60, 222], &[], &[0, 65_793]);
    });
    message!(out, TemplateDistribution(TemplateDistributionOwned), RequestTransactionDataError {
        template_id: big(ID, 0, u64::MAX);
        error_code: text("stale-template-id", "", LONG);
    });
    message!(out, TemplateDistribution(TemplateDistributionOwned), SubmitSolution {
        template_id: big(ID, 0, u64::MAX);
        version: num(0x2000_6000, 0, TOP);
        header_timestamp: num(1_795_000_060, 0, TOP);
        header_nonce: num(0x1234_5678, 0, TOP);
        coinbase_tx: data(211, 0, 300);
    });
    out
}

fn extensions() -> Vec<Value> {
    use stratum_core::extensions_sv2::{
        RequestExtensionsErrorOwned as RequestExtensionsError, RequestExtensionsOwned as RequestExtensions,
        RequestExtensionsSuccessOwned as RequestExtensionsSuccess,
    };
    const NONE: &[u16] = &[];
    const MANY: &[u16] = &[0x4abc; 300];
    let mut out = Vec::new();
    message!(out, ExtensionsNegotiation(ExtensionsNegotiationOwned), RequestExtensions {
        request_id: num(1, 0, u16::MAX);
        requested_extensions: nums(&[2, 3], NONE, MANY);
    });
    message!(out, ExtensionsNegotiation(ExtensionsNegotiationOwned), RequestExtensionsSuccess {
        request_id: num(1, 0, u16::MAX);
        supported_extensions: nums(&[2], NONE, MANY);
    });
    message!(out, ExtensionsNegotiation(ExtensionsNegotiationOwned), RequestExtensionsError {
        request_id: num(1, 0, u16::MAX);
        unsupported_extensions: nums(&[3], NONE, MANY);
        required_extensions: nums(&[2, 0x4001], NONE, MANY);
    });
    out
}

/// SubmitSharesExtended followed by extension 0x0002's user_identity.
fn identified_shares() -> Vec<Value> {
    ["worker-001", "", "exactly-thirty-two-bytes-µ-1234"]
        .iter()
        .zip(["typical", "least", "most"])
        .map(|(identity, case)| {
            let (extranonce_hex, extranonce) = data(8);
            let share = SubmitSharesExtendedOwned {
                channel_id: 4,
                sequence_number: 2,
                job_id: 78,
                nonce: 0x8765_4321,
                ntime: 1_795_000_061,
                version: 0x2000_0000,
                extranonce,
            };
            let fields = json!({
                "channelId": share.channel_id,
                "sequenceNumber": share.sequence_number,
                "jobId": share.job_id,
                "nonce": share.nonce,
                "ntime": share.ntime,
                "version": share.version,
                "extranonce": extranonce_hex,
            });
            let tlv = UserIdentity::new(identity).unwrap().to_tlv().unwrap();
            let shown = json!([{
                "extensionType": tlv.r#type.extension_type,
                "fieldType": tlv.r#type.field_type,
                "valueHex": hex(&tlv.value),
                "text": identity,
            }]);
            let tlvs = TlvList::from_slice(&[tlv]).unwrap();
            let frame = tlvs
                .build_frame_bytes_with_tlvs(MiningOwned::SubmitSharesExtended(share))
                .unwrap();
            let mut record = record("Mining", "SubmitSharesExtended", case, fields, &frame);
            record["tlvs"] = shown;
            record
        })
        .collect()
}
