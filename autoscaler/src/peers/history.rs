//! What a replica that has just come has missed: the load of every revision over its stable window, in
//! the same messages, one for each second. It takes the larger of what it has heard itself and of what
//! it is told, so nothing counts twice, however often it is told.

use bytes::Bytes;
use jiff::Timestamp;
use net::stat::{Stat, WireStatMessage, WireStatMessages};
use prost::Message as _;

use crate::clock::seconds_before;
use crate::collect::sample;
use crate::id::RevisionId;
use crate::ledger::{Ledger, Sample};

/// The newest seconds are left out: their reports may still be on their way to both of us.
const UNSETTLED: i64 = 2;
/// Messages in one frame: about half a megabyte.
const IN_A_FRAME: usize = 4096;

/// Everything that is known at `now`, frame by frame.
pub(crate) fn frames(
    ledger: &Ledger,
    now: Timestamp,
) -> impl Iterator<Item = Bytes> + Send + use<> {
    let settled = seconds_before(now, UNSETTLED);
    let mut messages = ledger
        .accounts()
        .into_iter()
        .flat_map(move |(id, account)| {
            let seconds = account.seconds(settled).into_iter();
            seconds.map(move |(at, sample)| message(&id, at, sample))
        });
    std::iter::from_fn(move || {
        let messages: Vec<_> = messages.by_ref().take(IN_A_FRAME).collect();
        (!messages.is_empty()).then(|| WireStatMessages { messages }.encode_to_vec().into())
    })
}

/// Takes a frame of another replica's history. What can't be read is left out.
pub(super) fn take(ledger: &Ledger, frame: &[u8], now: Timestamp) {
    let told = WireStatMessages::decode(frame).unwrap_or_default();
    for message in told.messages {
        let Some(stat) = message.stat else { continue };
        let at = Timestamp::from_second(stat.timestamp)
            .ok()
            .filter(|at| *at <= now);
        if let (Some(at), Some(sample)) = (at, sample(&stat)) {
            ledger.raise(
                &RevisionId::new(message.namespace, message.name),
                sample,
                at,
            );
        }
    }
}

fn message(id: &RevisionId, at: Timestamp, sample: Sample) -> WireStatMessage {
    let stat = Stat {
        average_concurrent_requests: sample.concurrency,
        request_count: sample.requests,
        timestamp: at.as_second(),
        ..Stat::default()
    };
    WireStatMessage {
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        stat: Some(stat),
    }
}
