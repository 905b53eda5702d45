//! What a queue-proxy tells every activator the moment its app is ready: where it is. Kubernetes says
//! the same a second later (shared/design, "Cold start" 3).
//!
//! It is signed with a key of its revision, which is made from one master key, the revision's name and
//! its UID: so an activator verifies it without asking anyone, and who has the key of one revision can
//! speak for no other.

use std::{
    fmt,
    net::IpAddr,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// Path that announcements are posted to.
pub const PATH: &str = "/announce";
/// No announcement is longer, bytes.
pub const LONGEST: usize = 2048;
/// Clocks of two nodes may differ so much.
const SKEW: Duration = Duration::from_secs(60);

/// That a pod is ready, and where.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Announcement {
    /// Namespace of the revision.
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// Name of the revision.
    #[prost(string, tag = "2")]
    pub revision: String,
    /// Name of the pod.
    #[prost(string, tag = "3")]
    pub pod: String,
    /// Address of the pod.
    #[prost(string, tag = "4")]
    pub ip: String,
    /// When it was said, milliseconds since 1970.
    #[prost(uint64, tag = "5")]
    pub at_ms: u64,
    /// HMAC-SHA-256 over all of the above.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
}

/// The key that the keys of all revisions are made from. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Vec<u8>);

/// The key of one revision. Shows as hex for an environment variable; never shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct RevisionKey([u8; 32]);

/// Why an announcement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unbelieved {
    /// It was not signed with the revision's key.
    #[error("its signature is wrong")]
    Forged,
    /// It is older, or from further in the future, than clocks can differ.
    #[error("it is older than {} s", SKEW.as_secs())]
    Stale,
    /// It came from another address than the one that it names.
    #[error("it came from another address")]
    Foreign,
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a key is 64 hexadecimal digits")]
pub struct NoKey;

// === impl MasterKey ===

impl MasterKey {
    /// Fewest bytes that make a key.
    pub const SHORTEST: usize = 16;

    /// A key of these bytes; None if they are too few to be secret.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::SHORTEST).then(|| Self(bytes.to_vec()))
    }

    /// The key of a revision.
    pub fn of_revision(&self, namespace: &str, revision: &str, uid: &str) -> RevisionKey {
        RevisionKey(mac(&self.0, &[namespace, revision, uid]))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

// === impl RevisionKey ===

impl RevisionKey {
    /// The key as 64 hexadecimal digits, for an environment variable.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for RevisionKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut key = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 2 * key.len() {
            return Err(NoKey);
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NoKey)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NoKey)?;
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for RevisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevisionKey")
    }
}

// === impl Announcement ===

impl Announcement {
    /// Signs it.
    #[must_use]
    pub fn signed(mut self, key: &RevisionKey, now: SystemTime) -> Self {
        self.at_ms = milliseconds(now);
        self.signature = self.mac(key).to_vec();
        self
    }

    /// The address that it names, if it is to be believed when it came from `peer`.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(
        &self,
        key: &RevisionKey,
        peer: IpAddr,
        now: SystemTime,
    ) -> Result<IpAddr, Unbelieved> {
        let mut expected = state(&key.0);
        self.feed(&mut expected);
        expected
            .verify_slice(&self.signature)
            .map_err(|_| Unbelieved::Forged)?;
        if milliseconds(now).abs_diff(self.at_ms) > u64::try_from(SKEW.as_millis()).unwrap_or(0) {
            return Err(Unbelieved::Stale);
        }
        match self.ip.parse() {
            Ok(ip) if ip == peer.to_canonical() => Ok(ip),
            Ok(_) | Err(_) => Err(Unbelieved::Foreign),
        }
    }

    fn mac(&self, key: &RevisionKey) -> [u8; 32] {
        let mut state = state(&key.0);
        self.feed(&mut state);
        state.finalize().into_bytes().into()
    }

    fn feed(&self, state: &mut Hmac<Sha256>) {
        let Self {
            namespace,
            revision,
            pod,
            ip,
            at_ms,
            signature: _,
        } = self;
        for text in [namespace, revision, pod, ip] {
            feed(state, text);
        }
        state.update(&at_ms.to_be_bytes());
    }
}

fn mac(key: &[u8], texts: &[&str]) -> [u8; 32] {
    let mut state = state(key);
    for text in texts {
        feed(&mut state, text);
    }
    state.finalize().into_bytes().into()
}

fn state(key: &[u8]) -> Hmac<Sha256> {
    // Any length is a key: a long one is hashed first.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::new_from_slice(key).expect("any length")
}

/// With its length, so that no two lists of texts look alike.
fn feed(state: &mut Hmac<Sha256>, text: &str) {
    state.update(&(text.len() as u64).to_be_bytes());
    state.update(text.as_bytes());
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
