//! An authority of our own: makes certificates without asking anybody. Pure but for the dice.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Clocks of nodes differ: a certificate is valid from a while before it was made.
const SKEW: SignedDuration = SignedDuration::from_hours(1);
/// The last moment that a certificate can name: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
/// Longest common name that X.509 allows.
const LONGEST_NAME: usize = 64;

/// A certificate and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Certified {
    /// The certificate, without its authority.
    pub(crate) certificate: String,
    /// The key.
    pub(crate) key: String,
    /// When the certificate ends.
    pub(crate) not_after: Timestamp,
}

/// Signs certificates.
pub(crate) struct Authority {
    name: String,
    certified: Certified,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority of that name, from now on until `lifetime` has passed.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn create(
        name: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, rcgen::Error> {
        let (key, not_after) = (KeyPair::generate()?, end(now, lifetime));
        let mut params = params(name)?;
        set_validity(&mut params, now, not_after);
        let certificate = params.self_signed(&key)?.pem();
        let certified = Certified {
            certificate,
            key: key.serialize_pem(),
            not_after,
        };
        Self::load(name, certified)
    }

    /// An authority that [`Authority::create`] made under that name.
    ///
    /// # Errors
    /// When the key can't be read.
    pub(crate) fn load(name: &str, certified: Certified) -> Result<Self, rcgen::Error> {
        let key = KeyPair::from_pem(&certified.key)?;
        Ok(Self {
            issuer: Issuer::new(params(name)?, key),
            name: name.to_owned(),
            certified,
        })
    }

    /// The authority's own certificate: whoever trusts it trusts all that it issues.
    pub(crate) fn certified(&self) -> &Certified {
        &self.certified
    }

    /// A certificate for a server with `names`, until `lifetime` has passed, but no longer than the
    /// authority itself.
    ///
    /// # Errors
    /// When a name can't stand in a certificate.
    pub(crate) fn issue(
        &self,
        names: &[String],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Certified, rcgen::Error> {
        let not_after = end(now, lifetime).min(self.certified.not_after);
        let mut params = CertificateParams::new(names.to_vec())?;
        set_validity(&mut params, now, not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = names.first().filter(|name| name.len() <= LONGEST_NAME) {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let key = KeyPair::generate()?;
        Ok(Certified {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
            not_after,
        })
    }
}

/// Keys stay out of logs.
impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certified")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// Whole seconds, as certificates have them.
fn end(now: Timestamp, lifetime: Duration) -> Timestamp {
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    let end = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(end.as_second().min(LAST_SECOND)).unwrap_or(end)
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, end: Timestamp) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(now.saturating_sub(SKEW).unwrap_or(now));
    params.not_after = epoch + since_epoch(end);
}

fn since_epoch(time: Timestamp) -> Duration {
    let seconds = time.as_second().clamp(0, LAST_SECOND);
    Duration::from_secs(seconds.unsigned_abs())
}
