//! Makes the certificate of the webhook and the authority that signs it.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};

use super::listener::Tls;

/// A certificate, its key and its authority, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(crate) key: String,
    pub(crate) certificate: String,
    /// The authority, and after a renewal the one before: replicas that still serve the old
    /// certificate stay trusted.
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

/// A new authority and a certificate for `names`, valid from the day before `now` to the end of
/// the day on which `lifetime` ends.
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
    const DAY: SignedDuration = SignedDuration::from_hours(24);
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    let (year, month, day) = date(now.saturating_sub(DAY).unwrap_or(now));
    params.not_before = date_time_ymd(year, month, day);
    let end = now
        .saturating_add(lifetime.saturating_add(DAY))
        .unwrap_or(Timestamp::MAX);
    let (year, month, day) = date(end);
    params.not_after = date_time_ymd(year, month, day);
}

fn date(time: Timestamp) -> (i32, u8, u8) {
    let date = time.to_zoned(TimeZone::UTC).date();
    let part = |number: i8| u8::try_from(number).unwrap_or(1);
    (date.year().into(), part(date.month()), part(date.day()))
}

/// What a TLS server needs; refuses key and certificate that do not fit each other.
pub(crate) fn server(certified: &Certified) -> Result<Tls, CertificateError> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(certified.certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain?, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    trusted(&certified.authority)?;
    Ok(Arc::new(config))
}

/// The authorities in `pem`.
pub(crate) fn trusted(pem: &str) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// The first certificate of a bundle.
pub(crate) fn newest(bundle: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----";
    bundle
        .find(END)
        .map_or("", |end| &bundle[..end + END.len()])
}
