//! Conversations with a small registry, which is an API server too.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crds::config::Settings;
use futures::StreamExt;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use parking_lot::Mutex;
use runtime::shutdown::Shutdown;
use runtime::tasks::Tasks;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{question, revision};
use crate::revision::digests::keychain::Credentials;
use crate::revision::digests::registry::Registry;
use crate::revision::digests::{Look, Question, Resolver, resolve};

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// `ada:secret`
const ADA: &str = "Basic YWRhOnNlY3JldA==";

/// A server on a port of its own: its address, and what it was asked.
struct Tiny {
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Tiny {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&log);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&seen);
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    seen.lock().push(line(&request));
                    let response = answer(&request, address);
                    async move { Ok::<_, Infallible>(response) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, log }
    }

    fn question(&self, repository: &str) -> Question {
        question(&self.address.to_string(), repository, "1")
    }

    fn image(&self, repository: &str) -> String {
        format!("{}/{repository}@{DIGEST}", self.address)
    }
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

fn line(request: &Request<Incoming>) -> String {
    let authorization = header(request, "authorization");
    let text = format!("{} {} {authorization}", request.method(), request.uri());
    text.trim().to_owned()
}

fn answer(request: &Request<Incoming>, address: SocketAddr) -> Response<Full<Bytes>> {
    let proof = header(request, "authorization");
    let found = |body: String| Response::new(Full::new(Bytes::from(body)));
    let with = |status: u16, name: &str, value: String| {
        let response = Response::builder().status(status).header(name, value);
        response.body(Full::default()).unwrap()
    };
    let digest = || with(200, "Docker-Content-Digest", DIGEST.to_owned());
    let ask = |text: String| with(401, "WWW-Authenticate", text);
    let realm = format!("Bearer realm=\"http://{address}/token\",service=\"tiny registry\"");
    match request.uri().path() {
        "/v2/open/manifests/1" if header(request, "accept").contains("image.index") => digest(),
        "/v2/token/manifests/1" if proof == "Bearer for-ada" => digest(),
        "/v2/token/manifests/1" => ask(realm),
        "/v2/basic/manifests/1" if proof == ADA => digest(),
        "/v2/basic/manifests/1" => ask("Basic realm=\"tiny\"".to_owned()),
        "/v2/moved/manifests/1" => with(307, "Location", "/v2/open/manifests/1".to_owned()),
        "/v2/loop/manifests/1" => with(307, "Location", "/v2/loop/manifests/1".to_owned()),
        "/v2/quiet/manifests/1" => found("manifest".to_owned()),
        "/v2/wrong/manifests/1" => with(200, "Docker-Content-Digest", "md5:1".to_owned()),
        "/v2/evil/manifests/1" => ask(realm.replace("/token", "/evil")),
        "/evil" => found(json!({ "token": "a\nb" }).to_string()),
        "/token" if proof == ADA => found(json!({ "access_token": "for-ada" }).to_string()),
        "/token" => with(403, "X", String::new()),
        "/api/v1/namespaces/ns/serviceaccounts/default" => {
            let secrets = json!([{ "name": "theirs" }]);
            found(json!({ "metadata": {}, "imagePullSecrets": secrets }).to_string())
        }
        "/api/v1/namespaces/ns/secrets/theirs" => found(secret(address)),
        _ => {
            let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound",
                "message": "no", "code": 404});
            let mut response = found(status.to_string());
            *response.status_mut() = hyper::StatusCode::NOT_FOUND;
            response
        }
    }
}

fn secret(address: SocketAddr) -> String {
    let auths = BTreeMap::from([(
        address.to_string(),
        json!({"username": "ada", "password": "secret"}),
    )]);
    let config = STANDARD.encode(json!({ "auths": auths }).to_string());
    json!({ "metadata": {}, "data": { ".dockerconfigjson": config } }).to_string()
}

fn ada() -> Credentials {
    Credentials::Password {
        user: "ada".to_owned(),
        password: "secret".to_owned(),
    }
}

#[tokio::test]
async fn a_digest_is_found_with_what_the_registry_asks_for() {
    let (tiny, registry) = (Tiny::start().await, Registry::new().unwrap());
    for repository in ["open", "token", "basic"] {
        let digest = registry
            .digest(&tiny.question(repository), Some(&ada()))
            .await;
        assert_eq!(digest.unwrap(), tiny.image(repository));
    }
    let scope = "scope=repository:token:pull&service=tiny%20registry";
    let wanted = [
        "HEAD /v2/open/manifests/1".to_owned(),
        "HEAD /v2/token/manifests/1".to_owned(),
        format!("GET /token?{scope} {ADA}"),
        "HEAD /v2/token/manifests/1 Bearer for-ada".to_owned(),
        "HEAD /v2/basic/manifests/1".to_owned(),
        format!("HEAD /v2/basic/manifests/1 {ADA}"),
    ];
    assert_eq!(*tiny.log.lock(), wanted);
}

#[tokio::test]
async fn redirects_are_followed_and_a_quiet_registry_is_hashed() {
    let (tiny, registry) = (Tiny::start().await, Registry::new().unwrap());
    let moved = registry.digest(&tiny.question("moved"), None).await;
    assert_eq!(moved.unwrap(), tiny.image("moved"));
    let quiet = registry
        .digest(&tiny.question("quiet"), None)
        .await
        .unwrap();
    let hash = "05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f";
    assert!(quiet.ends_with(hash), "{quiet}");
}

#[tokio::test]
async fn a_failure_says_what_was_asked_and_what_came() {
    let (tiny, registry) = (Tiny::start().await, Registry::new().unwrap());
    let at = tiny.address;
    let scope = "service=tiny%20registry";
    for (repository, wanted) in [
        (
            "nope",
            format!("HEAD http://{at}/v2/nope/manifests/1: unexpected status code 404 Not Found"),
        ),
        (
            "basic",
            format!(
                "HEAD http://{at}/v2/basic/manifests/1: unexpected status code 401 Unauthorized"
            ),
        ),
        (
            "token",
            format!(
                "GET http://{at}/token?scope=repository:token:pull&{scope}: \
                unexpected status code 403 Forbidden"
            ),
        ),
        (
            "evil",
            format!(
                "GET http://{at}/evil?scope=repository:evil:pull&{scope}: the token can't be used"
            ),
        ),
        (
            "loop",
            format!("HEAD http://{at}/v2/loop/manifests/1: too many redirects"),
        ),
        ("wrong", "\"md5:1\" is no sha256 digest".to_owned()),
    ] {
        let error = registry.digest(&tiny.question(repository), None).await;
        assert_eq!(error.unwrap_err().to_string(), wanted, "{repository}");
    }
}

#[tokio::test]
async fn an_answer_wakes_the_revision_and_uses_the_secrets_of_its_service_account() {
    let tiny = Tiny::start().await;
    let config = Config::new(format!("http://{}", tiny.address).parse().unwrap());
    let client = Client::try_from(config).unwrap();
    let tasks = Tasks::new(Shutdown::default());
    let (_settings, settings) = watch::channel(Arc::new(Settings::default()));
    let (resolver, mut answers) = Resolver::start(&tasks, client, settings);

    let image = format!("{}/token:1", tiny.address);
    let revision = revision(&[&image], &[]);
    let look = || {
        let mut looks = Vec::new();
        resolve(&revision, &super::skipped(), |question| {
            looks.push(resolver.look(&revision, question));
            looks[0].clone()
        });
        looks.remove(0)
    };
    assert_eq!(look(), Look::Asking);
    let woken = answers.next().await.unwrap();
    assert_eq!(
        (woken.name.as_str(), woken.namespace.as_deref()),
        ("r", Some("ns"))
    );
    assert_eq!(look(), Look::Answered(tiny.image("token")));
    resolver.forget(&revision);
    assert_eq!(look(), Look::Asking);
}
