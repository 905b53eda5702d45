//! Asks a registry for the digest of a tag, by the distribution API.
//!
//! What a registry says is a stranger's input: bodies are bounded, and no answer may panic.

mod token;

use std::net::IpAddr;

use crds::reference::Reference;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use super::keychain::Credentials;
use super::question::Question;

/// Every form of a manifest. Without it a registry may convert to an older form, which has
/// another digest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";
const CONTENT_DIGEST: &str = "docker-content-digest";
const AGENT: &str = concat!("knative/", env!("CARGO_PKG_VERSION"), " (serving)");
/// Largest body that is read: what the distribution API asks registries to take as a manifest.
const LARGEST_BODY: usize = 4 << 20;
/// Requests for one answer: a redirect or two, each with its own token.
const MOST_STEPS: usize = 6;
/// Whom pods trust for what is inside the cluster.
const CLUSTER_AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// A client for every registry.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// Why a registry gave no digest; the first text is the request, method and URL.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    #[error("{0:?} is no URL")]
    Url(String),
    #[error("{0}")]
    Connection(String, #[source] hyper_util::client::legacy::Error),
    #[error("{0}: the body can't be read")]
    Body(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{0}: unexpected status code {1}")]
    Status(String, StatusCode),
    #[error("{0}: the token can't be used")]
    Token(String),
    #[error("{0}: too many redirects")]
    TooManySteps(String),
    #[error("{0:?} is no sha256 digest")]
    Digest(String),
}

/// What is asked, and with whose credentials.
struct Asked<'a> {
    method: Method,
    question: &'a Question,
    credentials: Option<&'a Credentials>,
}

impl Registry {
    /// A client that trusts the authorities of the system (or of `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR`) and of the cluster. Where there are none, only plain http works.
    ///
    /// # Errors
    /// When the cryptography has no common TLS version with itself, which a test would show.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Ok(certificates) = CertificateDer::pem_file_iter(CLUSTER_AUTHORITY) {
            roots.add_parsable_certificates(certificates.flatten());
        }
        let provider = rustls::crypto::ring::default_provider();
        let tls = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http })
    }

    /// The image by digest, in its canonical form. Not limited in time.
    pub(super) async fn digest(
        &self,
        question: &Question,
        credentials: Option<&Credentials>,
    ) -> Result<String, RegistryError> {
        let mut asked = Asked {
            method: Method::HEAD,
            question,
            credentials,
        };
        let (_, head) = self.ask(&asked).await?;
        let digest = match head.headers().get(CONTENT_DIGEST) {
            Some(digest) => String::from_utf8_lossy(digest.as_bytes()).into_owned(),
            None => {
                asked.method = Method::GET;
                let (url, response) = self.ask(&asked).await?;
                hashed(&body(&url, response).await?)
            }
        };
        let (registry, repository) = (&question.registry, &question.repository);
        let image = format!("{registry}/{repository}@{digest}");
        match Reference::parse(&image) {
            Ok(_) => Ok(image),
            Err(_) => Err(RegistryError::Digest(digest)),
        }
    }

    /// The answer to a question, with the token that it needs and from where it is redirected to.
    async fn ask(&self, asked: &Asked<'_>) -> Result<(Uri, Response<Incoming>), RegistryError> {
        let home = manifest(asked.question)?;
        let mut url = home.clone();
        let mut authorization = token::given(asked.credentials);
        for _ in 0..MOST_STEPS {
            let method = asked.method.clone();
            let response = self.send(method, &url, authorization.as_ref()).await?;
            let status = response.status();
            if status.is_success() {
                return Ok((url, response));
            }
            if status == StatusCode::UNAUTHORIZED && authorization.is_none() {
                let credentials = asked.credentials.filter(|_| same_place(&home, &url));
                let found = self
                    .authorize(&response, &url, asked.question, credentials)
                    .await?;
                authorization = Some(found.ok_or_else(|| refused(asked, &url, status))?);
            } else if status.is_redirection() {
                let next = redirected(&response, &url);
                let next = next.ok_or_else(|| refused(asked, &url, status))?;
                authorization = authorization.filter(|_| same_place(&url, &next));
                url = next;
            } else {
                return Err(refused(asked, &url, status));
            }
        }
        Err(RegistryError::TooManySteps(request(&asked.method, &home)))
    }

    async fn send(
        &self,
        method: Method,
        url: &Uri,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, RegistryError> {
        let name = request(&method, url);
        let mut request = Request::new(Empty::new());
        *request.method_mut() = method;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFESTS));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let sent = self.http.request(request).await;
        sent.map_err(|error| RegistryError::Connection(name, error))
    }
}

/// The body of the answer to a GET.
async fn body(url: &Uri, response: Response<Incoming>) -> Result<Bytes, RegistryError> {
    let body = Limited::new(response.into_body(), LARGEST_BODY).collect();
    let body = body.await;
    let failed = |error| RegistryError::Body(request(&Method::GET, url), error);
    Ok(body.map_err(failed)?.to_bytes())
}

fn refused(asked: &Asked<'_>, url: &Uri, status: StatusCode) -> RegistryError {
    RegistryError::Status(request(&asked.method, url), status)
}

fn request(method: &Method, url: &Uri) -> String {
    format!("{method} {url}")
}

fn manifest(question: &Question) -> Result<Uri, RegistryError> {
    let registry = question.registry.as_str();
    let scheme = if is_plain(registry) { "http" } else { "https" };
    let (repository, tag) = (&question.repository, &question.tag);
    url(&format!(
        "{scheme}://{registry}/v2/{repository}/manifests/{tag}"
    ))
}

fn url(text: &str) -> Result<Uri, RegistryError> {
    let parsed: Option<Uri> = text.parse().ok();
    let whole = parsed.filter(|url| url.scheme().is_some() && url.host().is_some());
    whole.ok_or_else(|| RegistryError::Url(text.to_owned()))
}

/// Whether a registry speaks plain http: names that only a machine or a cluster itself can know,
/// and addresses of private networks, for which no authority vouches.
pub(super) fn is_plain(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let private = match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback(),
        Err(_) => false,
    };
    private || host == "localhost" || host.ends_with(".local") || host.ends_with(".localhost")
}

/// Where to ask instead. Never from https to http.
fn redirected(response: &Response<Incoming>, from: &Uri) -> Option<Uri> {
    let to = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = if to.starts_with('/') {
        format!("{}://{}{to}", from.scheme_str()?, from.authority()?)
    } else {
        to.to_owned()
    };
    let to = url(&to).ok()?;
    (from.scheme_str() != Some("https") || to.scheme_str() == Some("https")).then_some(to)
}

fn same_place(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.authority() == other.authority()
}

fn hashed(manifest: &[u8]) -> String {
    let hash = Sha256::digest(manifest);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
