mod book;
mod keychain;
mod registry;

use std::collections::BTreeSet;
use std::time::Duration;

use crds::revision::{Revision, RevisionStatus};
use serde_json::{Value, json};

use super::registry::is_plain;
use super::{Digests, Images, Look, Question, resolve};

fn revision(images: &[&str], init_images: &[&str]) -> Revision {
    let containers = |images: &[&str]| -> Vec<Value> {
        let named = images.iter().enumerate();
        named
            .map(|(i, image)| json!({"name": i.to_string(), "image": image}))
            .collect()
    };
    let spec = json!({
        "containers": containers(images),
        "initContainers": containers(init_images),
        "imagePullSecrets": [{ "name": "mine" }],
    });
    let mut revision = Revision::new("r", serde_json::from_value(spec).unwrap());
    revision.metadata.namespace = Some("ns".to_owned());
    revision.metadata.uid = Some("uid-r".to_owned());
    revision
}

fn question(registry: &str, repository: &str, tag: &str) -> Question {
    let (registry, repository) = (registry.to_owned(), repository.to_owned());
    Question::new(&revision(&[], &[]), registry, repository, tag.to_owned())
}

fn failed(cause: &str) -> Look {
    Look::Failed {
        cause: cause.to_owned(),
        again: Some(Duration::from_secs(7)),
    }
}

/// A world where `broken` images have no digest and `slow` ones have none yet.
fn look(question: &Question) -> Look {
    match question.repository.as_str() {
        "broken" => failed("no"),
        "slow" => Look::Asking,
        path => Look::Answered(format!("{}/{path}@{}", question.registry, question.tag)),
    }
}

fn skipped() -> BTreeSet<String> {
    BTreeSet::from(["dev.local".to_owned()])
}

fn texts(digests: &Digests) -> Vec<&str> {
    let all = digests.containers.iter().chain(&digests.init_containers);
    all.map(|status| status.image_digest.as_str()).collect()
}

#[test]
fn tags_are_asked_for_and_digests_and_skipped_registries_are_not() {
    let by_digest = format!("r.io/app@sha256:{}", "0".repeat(64));
    let with_tag = format!("app:1@sha256:{}", "0".repeat(64));
    for (image, wanted) in [
        ("ubuntu", "index.docker.io/library/ubuntu@latest"),
        ("docker.io/me/app:1", "index.docker.io/me/app@1"),
        ("r.io:5000/app:v1", "r.io:5000/app@v1"),
        ("dev.local/app:v1", ""),
        (&by_digest, &by_digest),
        (&with_tag, &with_tag),
    ] {
        let images = resolve(&revision(&[image], &[image]), &skipped(), |q| look(&q));
        let Images::Known(digests) = images else {
            panic!("{image}: {images:?}");
        };
        assert_eq!(texts(&digests), [wanted; 2], "{image}");
        let of_containers = digests.of_containers();
        let run = of_containers.get("0").copied();
        assert_eq!(run, Some(wanted).filter(|text| !text.is_empty()), "{image}");
    }
}

#[test]
fn every_image_is_asked_for_at_once_and_a_failure_outweighs_an_open_question() {
    let mut asked = Vec::new();
    let images = resolve(
        &revision(&["r.io/slow", "r.io/broken:1"], &["r.io/init"]),
        &skipped(),
        |question| {
            asked.push(question.repository.clone());
            look(&question)
        },
    );
    assert_eq!(asked, ["slow", "broken", "init"]);
    let missing = Images::Missing {
        image: "r.io/broken:1".to_owned(),
        cause: "no".to_owned(),
        again: Some(Duration::from_secs(7)),
    };
    assert_eq!(images, missing);
    let slow = revision(&["r.io/fast"], &["r.io/slow"]);
    assert_eq!(resolve(&slow, &skipped(), |q| look(&q)), Images::Resolving);
}

#[test]
fn a_text_that_names_no_image_waits_for_an_edit() {
    let images = resolve(&revision(&["no image"], &[]), &skipped(), |q| look(&q));
    let missing = Images::Missing {
        image: "no image".to_owned(),
        cause: "could not parse reference: no image".to_owned(),
        again: None,
    };
    assert_eq!(images, missing);
}

#[test]
fn what_was_resolved_once_stays() {
    let mut revision = revision(&["r.io/app"], &["dev.local/init"]);
    let Images::Known(known) = resolve(&revision, &skipped(), |q| look(&q)) else {
        panic!("not known");
    };
    revision.status = Some(RevisionStatus {
        container_statuses: known.containers.clone(),
        init_container_statuses: known.init_containers.clone(),
        ..RevisionStatus::default()
    });
    let again = resolve(&revision, &skipped(), |_| panic!("asked again"));
    assert_eq!(again, Images::Known(known));
}

#[test]
fn the_question_carries_whose_credentials_are_used() {
    let mut revision = revision(&[], &[]);
    let ask = |revision: &Revision| {
        Question::new(
            revision,
            "r.io".to_owned(),
            "app".to_owned(),
            "1".to_owned(),
        )
    };
    assert_eq!(ask(&revision).service_account, "default");
    revision.spec.pod.service_account_name = Some("builder".to_owned());
    let question = ask(&revision);
    assert_eq!(question.service_account, "builder");
    assert_eq!(question.namespace, "ns");
    assert_eq!(question.secrets, ["mine"]);
}

#[test]
fn private_registries_speak_plain_http() {
    for (registry, plain) in [
        ("registry.local:5000", true),
        ("registry.local", true),
        ("localhost:5000", true),
        ("localhost", true),
        ("127.0.0.1:5000", true),
        ("[::1]:5000", true),
        ("172.30.0.2:5000", true),
        ("8.8.8.8:5000", false),
        ("index.docker.io", false),
        ("local", false),
        ("registry.local.example.com", false),
    ] {
        assert_eq!(is_plain(registry), plain, "{registry}");
    }
}
