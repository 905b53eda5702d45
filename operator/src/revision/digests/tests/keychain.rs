use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::revision::digests::keychain::{Credentials, Keychain};

fn secret(key: &str, text: &Value) -> Secret {
    let bytes = ByteString(text.to_string().into_bytes());
    Secret {
        data: Some(BTreeMap::from([(key.to_owned(), bytes)])),
        ..Secret::default()
    }
}

fn user(name: &str) -> Value {
    json!({ "auth": STANDARD.encode(format!("{name}:p:w")) })
}

/// A keychain whose users are named like the keys that they have.
fn keychain(keys: &[&str]) -> Keychain {
    let entries: serde_json::Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), json!({"username": key, "password": "x"})))
        .collect();
    let mut keychain = Keychain::default();
    keychain.add(&secret(".dockerconfigjson", &json!({ "auths": entries })));
    keychain
}

fn found<'a>(keychain: &'a Keychain, registry: &str, repository: &str) -> Option<&'a str> {
    match keychain.credentials(registry, repository)? {
        Credentials::Password { user, .. } => Some(user),
        Credentials::Token(token) => Some(token),
    }
}

#[test]
fn keys_match_as_kubelet_matches_them() {
    let docker = "index.docker.io";
    for (key, registry, repository, wanted) in [
        ("r.io", "r.io", "app", true),
        ("https://r.io", "r.io", "app", true),
        ("https://r.io/v2/", "r.io", "app", true),
        ("R.io", "r.io", "app", true),
        ("r.io", "other.io", "app", false),
        ("r.io", "r.io:5000", "app", false),
        ("r.io:5000", "r.io:5000", "app", true),
        ("r.io/team", "r.io", "team/app", true),
        ("r.io/team", "r.io", "app", false),
        ("*.r.io", "eu.r.io", "app", true),
        ("*.r.io", "r.io", "app", false),
        ("*.r.io", "a.eu.r.io", "app", false),
        ("eu-*-b*.r.io", "eu-west-b1.r.io", "app", true),
        ("eu-*-b*.r.io", "eu-west.r.io", "app", false),
        (
            "https://index.docker.io/v1/",
            docker,
            "library/ubuntu",
            true,
        ),
        ("docker.io", docker, "me/app", true),
        ("", "r.io", "app", false),
    ] {
        let keychain = keychain(&[key]);
        let came = found(&keychain, registry, repository).filter(|user| *user == key);
        let case = format!("{key} for {registry}/{repository}");
        assert_eq!(came.is_some(), wanted && !key.is_empty(), "{case}");
    }
}

#[test]
fn the_longest_path_then_the_most_exact_host_then_the_first_wins() {
    let mut keychain = keychain(&["*.io", "r.io", "*.io/team", "r.io/te"]);
    assert_eq!(found(&keychain, "r.io", "app"), Some("r.io"));
    assert_eq!(found(&keychain, "r.io", "team/app"), Some("*.io/team"));
    assert_eq!(found(&keychain, "s.io", "app"), Some("*.io"));
    keychain.add(&secret(
        ".dockerconfigjson",
        &json!({"auths": {"r.io": user("later")}}),
    ));
    assert_eq!(found(&keychain, "r.io", "app"), Some("r.io"));
}

#[test]
fn both_forms_of_secrets_are_read_and_others_are_left_out() {
    let mut keychain = Keychain::default();
    let token = json!({ "registrytoken": "t0ken" });
    for (key, text) in [
        (".dockercfg", json!({"old.io": user("ada")})),
        (
            ".dockerconfigjson",
            json!({"auths": {"new.io": user("bob"), "t.io": token}}),
        ),
        (".dockerconfigjson", json!({"auths": {"none.io": {}}})),
        (".dockerconfigjson", json!("no config")),
        ("other", json!({"auths": {"other.io": user("eve")}})),
    ] {
        keychain.add(&secret(key, &text));
    }
    keychain.add(&Secret::default());
    let ada = Credentials::Password {
        user: "ada".to_owned(),
        password: "p:w".to_owned(),
    };
    assert_eq!(keychain.credentials("old.io", "app"), Some(&ada));
    assert_eq!(found(&keychain, "new.io", "app"), Some("bob"));
    assert_eq!(found(&keychain, "t.io", "app"), Some("t0ken"));
    assert_eq!(found(&keychain, "none.io", "app"), None);
    assert_eq!(found(&keychain, "other.io", "app"), None);
    assert_eq!(format!("{ada:?}"), "Password(\"ada\")");
}
