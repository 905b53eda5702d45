//! What a registry takes as a proof of who asks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Response, Uri};
use serde::Deserialize;

use super::{Registry, RegistryError, body, request, url};
use crate::revision::digests::keychain::Credentials;
use crate::revision::digests::question::Question;

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Challenge {
    /// The password itself.
    Basic,
    /// A token that another service issues.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Registry {
    /// The proof that `response` asks for; None when we have none.
    pub(super) async fn authorize(
        &self,
        response: &Response<Incoming>,
        from: &Uri,
        question: &Question,
        credentials: Option<&Credentials>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = headers.filter_map(|header| challenge(header.to_str().ok()?));
        let password = password(credentials);
        let Some(strongest) = challenges.max_by_key(|c| matches!(c, Challenge::Bearer { .. }))
        else {
            return Ok(None);
        };
        let Challenge::Bearer { realm, service } = strongest else {
            return Ok(password);
        };
        let issuer = issuer(&realm, service.as_deref(), question)?;
        if from.scheme_str() == Some("https") && issuer.scheme_str() != Some("https") {
            return Err(RegistryError::Url(realm));
        }
        self.token(issuer, password.as_ref()).await.map(Some)
    }

    async fn token(
        &self,
        issuer: Uri,
        password: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let response = self.send(Method::GET, &issuer, password).await?;
        let status = response.status();
        if !status.is_success() {
            let request = request(&Method::GET, &issuer);
            return Err(RegistryError::Status(request, status));
        }
        let text = body(&issuer, response).await?;
        let issued: Option<Issued> = serde_json::from_slice(&text).ok();
        let tokens = issued.map(|issued| [issued.token, issued.access_token]);
        let mut tokens = tokens.iter().flatten();
        let token = tokens.find(|token| !token.is_empty());
        let bearer = token.and_then(|token| bearer(token));
        bearer.ok_or_else(|| RegistryError::Token(request(&Method::GET, &issuer)))
    }
}

/// The proof that needs no question.
pub(super) fn given(credentials: Option<&Credentials>) -> Option<HeaderValue> {
    match credentials? {
        Credentials::Token(token) => bearer(token),
        Credentials::Password { .. } => None,
    }
}

fn password(credentials: Option<&Credentials>) -> Option<HeaderValue> {
    match credentials? {
        Credentials::Password { user, password } => {
            let both = STANDARD.encode(format!("{user}:{password}"));
            secret(&format!("Basic {both}"))
        }
        Credentials::Token(_) => None,
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    secret(&format!("Bearer {token}"))
}

/// A value that no log shows; None when it can't stand in a header.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The strongest challenge that we can answer.
fn challenge(header: &str) -> Option<Challenge> {
    let challenges = ChallengeParser::new(header).flatten();
    let known = challenges.filter_map(|challenge| known(&challenge));
    known.max_by_key(|challenge| matches!(challenge, Challenge::Bearer { .. }))
}

fn known(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    let parameter = |name: &str| {
        let found = challenge
            .params
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    match challenge.scheme.to_ascii_lowercase().as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
        }),
        _ => None,
    }
}

/// Where the token for `question` is issued.
fn issuer(realm: &str, service: Option<&str>, question: &Question) -> Result<Uri, RegistryError> {
    let joint = if realm.contains('?') { '&' } else { '?' };
    let service = service
        .map(|service| format!("&service={}", escaped(service)))
        .unwrap_or_default();
    let repository = &question.repository;
    url(&format!(
        "{realm}{joint}scope=repository:{repository}:pull{service}"
    ))
}

/// `text` as the value of a query.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{Challenge, challenge, escaped, secret};

    #[test]
    fn tokens_are_preferred_to_passwords_and_other_schemes_are_unknown() {
        let bearer = Challenge::Bearer {
            realm: "https://auth.example.com/token".to_owned(),
            service: Some("registry.example.com".to_owned()),
        };
        let text = "Bearer realm=\"https://auth.example.com/token\",\
            service=\"registry.example.com\",scope=\"repository:a/b:pull\"";
        for (header, wanted) in [
            (text, Some(bearer.clone())),
            (&format!("Basic realm=\"x\", {text}"), Some(bearer)),
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("Bearer service=\"x\"", None),
            ("Negotiate", None),
            ("Bearer realm=\"", None),
        ] {
            assert_eq!(challenge(header), wanted, "{header}");
        }
    }

    #[test]
    fn what_a_stranger_says_can_not_break_a_header_or_a_query() {
        assert_eq!(secret("Bearer a\nb"), None);
        assert_eq!(escaped("a b&c=d/é"), "a%20b%26c%3Dd%2F%C3%A9");
    }
}
