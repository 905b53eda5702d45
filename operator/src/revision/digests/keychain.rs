//! Credentials for registries, from pull secrets: the rules of kubelet, so that what it can pull
//! can be resolved.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crds::reference::DEFAULT_REGISTRY;
use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;

/// Key of a Secret of type `kubernetes.io/dockerconfigjson`.
const CONFIG_JSON: &str = ".dockerconfigjson";
/// Key of a Secret of type `kubernetes.io/dockercfg`.
const CONFIG: &str = ".dockercfg";
/// Other names of the default registry.
const DEFAULT_ALIASES: [&str; 2] = ["docker.io", "registry-1.docker.io"];

/// What proves to a registry who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// For the registry, or for whom it names to issue tokens.
    Password {
        /// Who.
        user: String,
        /// The proof.
        password: String,
    },
    /// A token that the registry itself takes.
    Token(String),
}

/// Credentials and where they belong.
#[derive(Clone, Debug, Default)]
pub(super) struct Keychain(Vec<(Scope, Credentials)>);

/// A part of the world of registries: `[*.]host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    host: String,
    port: Option<String>,
    path: String,
}

#[derive(Deserialize)]
struct ConfigJson {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    registrytoken: String,
}

impl fmt::Debug for Credentials {
    /// Without the proof.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => f.debug_tuple("Password").field(user).finish(),
            Self::Token(_) => f.debug_tuple("Token").finish(),
        }
    }
}

impl Keychain {
    /// Adds what `secret` holds. What can't be read is left out: so does kubelet.
    pub(super) fn add(&mut self, secret: &Secret) {
        let data = |key| secret.data.as_ref()?.get(key).map(|bytes| &bytes.0);
        let json = data(CONFIG_JSON).and_then(|text| serde_json::from_slice(text).ok());
        let json = json.map(|config: ConfigJson| config.auths);
        let plain = || data(CONFIG).and_then(|text| serde_json::from_slice(text).ok());
        let entries: BTreeMap<String, Entry> = json.or_else(plain).unwrap_or_default();
        for (key, entry) in entries {
            if let Some(credentials) = entry.credentials() {
                self.0.push((Scope::read(&key), credentials));
            }
        }
    }

    /// The credentials for an image: of those that match, the ones with the longest path, then
    /// the most exact host, then the first that were added.
    pub(super) fn credentials(&self, registry: &str, repository: &str) -> Option<&Credentials> {
        let image = Scope::read(&format!("{registry}/{repository}"));
        let matching = self.0.iter().filter(|(scope, _)| scope.contains(&image));
        let exactness = |scope: &Scope| (scope.path.len(), !scope.host.contains('*'));
        let best = matching.rev().max_by_key(|(scope, _)| exactness(scope));
        best.map(|(_, credentials)| credentials)
    }
}

impl Entry {
    fn credentials(self) -> Option<Credentials> {
        if !self.registrytoken.is_empty() {
            return Some(Credentials::Token(self.registrytoken));
        }
        let both = STANDARD.decode(self.auth.trim()).ok();
        let both = both.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = match both.as_deref().and_then(|text| text.split_once(':')) {
            Some((user, password)) => (user.to_owned(), password.to_owned()),
            None => (self.username, self.password),
        };
        (!user.is_empty()).then_some(Credentials::Password { user, password })
    }
}

impl Scope {
    /// Reads a key of a Docker config; the version of its API is no part of the path.
    fn read(key: &str) -> Self {
        let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
        let (authority, path) = bare.split_once('/').unwrap_or((bare, ""));
        let path = match path.split_once('/').unwrap_or((path, "")) {
            ("v1" | "v2", rest) => rest,
            _ => path,
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.to_owned())),
            None => (authority, None),
        };
        let default = DEFAULT_ALIASES.contains(&host);
        let host = if default { DEFAULT_REGISTRY } else { host };
        Self {
            host: host.to_ascii_lowercase(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        }
    }

    /// Whether `image` is inside: part by part of the host, and by the beginning of the path.
    fn contains(&self, image: &Self) -> bool {
        let (ours, theirs) = (self.host.split('.'), image.host.split('.'));
        self.port == image.port
            && ours.clone().count() == theirs.clone().count()
            && ours.zip(theirs).all(|(ours, theirs)| fits(ours, theirs))
            && image.path.starts_with(&self.path)
    }
}

/// Whether `text` is what `pattern` says, where `*` is any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text
        .strip_prefix(head)
        .and_then(|text| text.strip_suffix(tail));
    let Some(mut left) = inner else {
        return false;
    };
    for piece in middle.split('*') {
        match left.split_once(piece) {
            Some((_, rest)) => left = rest,
            None if piece.is_empty() => {}
            None => return false,
        }
    }
    true
}
