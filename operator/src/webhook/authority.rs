//! Makes the certificate of the webhook and the authority that signs it, and judges those that it
//! finds.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{RootCertStore, ServerConfig};

use super::listener::Tls;

/// Clocks of nodes differ: a certificate is valid from a while before it was made.
const SKEW: SignedDuration = SignedDuration::from_hours(1);
/// The last moment that a certificate can name: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// A certificate, its key and its authority, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(crate) key: String,
    pub(crate) certificate: String,
    /// What a client must trust. After a renewal it holds the authority before, too: replicas that
    /// still serve the old certificate stay trusted.
    pub(crate) authority: String,
}

/// Why there is no usable certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("a certificate can't be made")]
    Make(#[from] rcgen::Error),
    #[error("the stored certificate can't be read")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("the stored certificate can't be used")]
    Use(#[from] rustls::Error),
}

/// A new authority and a certificate for `names`, valid until `lifetime` after `now`.
pub(crate) fn make(
    names: Vec<String>,
    now: Timestamp,
    lifetime: Duration,
) -> Result<Certified, CertificateError> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    set_validity(&mut params, now, lifetime);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
        .distinguished_name
        .push(DnType::CommonName, "fermata webhook authority");
    let authority_key = KeyPair::generate()?;
    let authority = params.self_signed(&authority_key)?;
    let issuer = Issuer::new(params, authority_key);

    let mut params = CertificateParams::new(names.clone())?;
    set_validity(&mut params, now, lifetime);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    if let Some(name) = names.into_iter().next() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Certified {
        key: key.serialize_pem(),
        certificate: certificate.pem(),
        authority: authority.pem(),
    })
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, lifetime: Duration) {
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    let end = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(now.saturating_sub(SKEW).unwrap_or(now));
    params.not_after = epoch + since_epoch(end);
}

fn since_epoch(time: Timestamp) -> Duration {
    let seconds = time.as_second().clamp(0, LAST_SECOND);
    Duration::from_secs(seconds.unsigned_abs())
}

/// What a TLS server needs; refuses key and certificate that do not fit each other.
pub(crate) fn server(certified: &Certified) -> Result<Tls, CertificateError> {
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(&certified.certificate)?, key)?;
    // API servers speak nothing else to webhooks, so that they spread over the replicas.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // They don't resume sessions either.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    Ok(CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?)
}

// === impl Certified ===

impl Certified {
    /// Whether it can be served, and whether at `time` a client that calls us `name` will trust it.
    pub(crate) fn holds(&self, name: &str, time: Timestamp) -> bool {
        server(self).is_ok() && self.is_trusted(&self.authority, name, time)
    }

    /// Whether a client that trusts `authority` trusts this certificate.
    pub(crate) fn is_trusted(&self, authority: &str, name: &str, time: Timestamp) -> bool {
        self.verify(authority, name, time).is_ok()
    }

    fn verify(&self, authority: &str, name: &str, time: Timestamp) -> Result<(), CertificateError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(authority)? {
            roots.add(root)?;
        }
        let unusable = |error: &dyn std::fmt::Display| rustls::Error::General(error.to_string());
        let name = ServerName::try_from(name).map_err(|error| unusable(&error))?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let verifier = verifier.map_err(|error| unusable(&error))?;
        let chain = certificates(&self.certificate)?;
        let Some((own, between)) = chain.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented.into());
        };
        let time = UnixTime::since_unix_epoch(since_epoch(time));
        verifier.verify_server_cert(own, between, &name, &[], time)?;
        Ok(())
    }

    /// The same, with the authority of `other` in the bundle: who gets the bundle trusts both.
    pub(crate) fn also_trusting(mut self, other: &Self, name: &str, time: Timestamp) -> Self {
        let signer = blocks(&other.authority).find(|block| other.is_trusted(block, name, time));
        if let Some(signer) = signer.filter(|_| !other.is_trusted(&self.authority, name, time)) {
            if !self.authority.ends_with('\n') {
                self.authority.push('\n');
            }
            self.authority.push_str(signer);
            self.authority.push('\n');
        }
        self
    }
}

/// The certificates of a bundle, each as PEM.
fn blocks(bundle: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END CERTIFICATE-----";
    bundle
        .split_inclusive(END)
        .filter(|block| block.ends_with(END))
        .map(str::trim_start)
}
