//! What the system's own connections may use: versions, ciphers and curves, by the names that Go has
//! for them (contract/data-plane 2.8).

use std::sync::Arc;

use rustls::{
    NamedGroup, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, SupportedKxGroup},
    version::{TLS12, TLS13},
};
use thiserror::Error;

use super::provider;
use crate::contract::env;

/// What connections may use.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

/// The variables that say so.
#[derive(Clone, Copy, Debug)]
pub struct TlsVariables {
    min: &'static str,
    max: &'static str,
    suites: &'static str,
    curves: &'static str,
}

/// A variable that leaves nothing to use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("environment variable {name} is {value:?}: expected {expected}")]
pub struct BadTlsSetting {
    name: &'static str,
    value: String,
    expected: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tls12,
    Tls13,
}

// === impl TlsVariables ===

impl TlsVariables {
    /// Those of a queue-proxy.
    pub const QUEUE_PROXY: Self = Self {
        min: env::QUEUE_PROXY_TLS_MIN_VERSION,
        max: env::QUEUE_PROXY_TLS_MAX_VERSION,
        suites: env::QUEUE_PROXY_TLS_CIPHER_SUITES,
        curves: env::QUEUE_PROXY_TLS_CURVE_PREFERENCES,
    };
    /// Those of an activator.
    pub const ACTIVATOR: Self = Self {
        min: env::ACTIVATOR_TLS_MIN_VERSION,
        max: env::ACTIVATOR_TLS_MAX_VERSION,
        suites: env::ACTIVATOR_TLS_CIPHER_SUITES,
        curves: env::ACTIVATOR_TLS_CURVE_PREFERENCES,
    };
}

// === impl TlsSettings ===

impl Default for TlsSettings {
    /// TLS 1.3, with all that is known here.
    fn default() -> Self {
        Self {
            provider: provider(),
            versions: vec![&TLS13],
        }
    }
}

impl TlsSettings {
    /// The defaults, changed by the environment that `read` reads. Ciphers and curves that Go knows
    /// and we don't are passed over; the ciphers of TLS 1.3 can't be chosen, as in Go.
    ///
    /// # Errors
    /// Names the variable that leaves no version, or no curve.
    pub fn read(
        names: TlsVariables,
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BadTlsSetting> {
        let text = |name: &str| read(name).unwrap_or_default();
        let version = |name| match text(name).as_str() {
            "" => Ok(Version::Tls13),
            "1.2" => Ok(Version::Tls12),
            "1.3" => Ok(Version::Tls13),
            other => Err(bad(name, other, "1.2 or 1.3")),
        };
        let (min, max) = (version(names.min)?, version(names.max)?);
        if min > max {
            return Err(bad(names.max, &text(names.max), "no less than the minimum"));
        }
        let versions = [(Version::Tls12, &TLS12), (Version::Tls13, &TLS13)];
        let allowed = versions.iter().filter(|(it, _)| (min..=max).contains(it));
        let mut provider = CryptoProvider::clone(&provider());
        let suites = text(names.suites);
        if !suites.is_empty() {
            provider.cipher_suites.retain(|it| is_chosen(*it, &suites));
        }
        let curves = text(names.curves);
        if !curves.is_empty() {
            provider.kx_groups = chosen(&curves, &provider.kx_groups);
        }
        if provider.kx_groups.is_empty() {
            return Err(bad(names.curves, &curves, "X25519, CurveP256 or CurveP384"));
        }
        Ok(Self {
            versions: allowed.map(|(_, it)| *it).collect(),
            provider: Arc::new(provider),
        })
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    pub(super) fn versions(&self) -> &[&'static SupportedProtocolVersion] {
        &self.versions
    }
}

fn bad(name: &'static str, value: &str, expected: &'static str) -> BadTlsSetting {
    let value = value.to_owned();
    BadTlsSetting {
        name,
        value,
        expected,
    }
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

fn is_chosen(suite: SupportedCipherSuite, list: &str) -> bool {
    let is_named = |name: &str| suite.suite().as_str() == Some(name);
    suite.tls13().is_some() || names(list).any(is_named)
}

/// In the order of the list.
fn chosen(
    list: &str,
    known: &[&'static dyn SupportedKxGroup],
) -> Vec<&'static dyn SupportedKxGroup> {
    let group = |name: &str| match name {
        "X25519" => Some(NamedGroup::X25519),
        "CurveP256" | "P256" => Some(NamedGroup::secp256r1),
        "CurveP384" | "P384" => Some(NamedGroup::secp384r1),
        _ => None,
    };
    let wanted = names(list).filter_map(group);
    wanted
        .filter_map(|wanted| known.iter().copied().find(|it| it.name() == wanted))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{TlsSettings, TlsVariables};

    fn read(pairs: &[(&str, &str)]) -> Result<TlsSettings, String> {
        let read = |name: &str| {
            let name = name.strip_prefix("QUEUE_PROXY_TLS_")?;
            let pair = pairs.iter().find(|(known, _)| *known == name)?;
            Some(pair.1.to_owned())
        };
        TlsSettings::read(TlsVariables::QUEUE_PROXY, read).map_err(|bad| bad.to_string())
    }

    /// Versions, number of ciphers, names of curves.
    fn seen(settings: &TlsSettings) -> String {
        let versions = settings.versions().iter().map(|it| it.version);
        let curves = settings.provider.kx_groups.iter().map(|it| it.name());
        format!(
            "{:?} {} {:?}",
            versions.collect::<Vec<_>>(),
            settings.provider.cipher_suites.len(),
            curves.collect::<Vec<_>>()
        )
    }

    #[test]
    fn only_the_newest_version_is_spoken_unless_somebody_says_otherwise() {
        let all = "[X25519, secp256r1, secp384r1]";
        let one = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA";
        let cases = [
            (&[][..], format!("[TLSv1_3] 9 {all}")),
            (
                &[("MIN_VERSION", "1.2")],
                format!("[TLSv1_2, TLSv1_3] 9 {all}"),
            ),
            (
                &[("MIN_VERSION", "1.2"), ("MAX_VERSION", "1.2")],
                format!("[TLSv1_2] 9 {all}"),
            ),
            (&[("CIPHER_SUITES", one)], format!("[TLSv1_3] 4 {all}")),
            (
                &[("CURVE_PREFERENCES", "CurveP521, CurveP256,X25519")],
                "[TLSv1_3] 9 [secp256r1, X25519]".to_owned(),
            ),
        ];
        for (pairs, expected) in cases {
            assert_eq!(seen(&read(pairs).unwrap()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn what_leaves_nothing_to_speak_is_refused_by_name() {
        let cases = [
            (&[("MIN_VERSION", "1.1")][..], "MIN_VERSION is \"1.1\""),
            (&[("MAX_VERSION", "1.2")], "MAX_VERSION is \"1.2\""),
            (&[("CURVE_PREFERENCES", "none")], "CURVE_PREFERENCES"),
        ];
        for (pairs, expected) in cases {
            let error = read(pairs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
