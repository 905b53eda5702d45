use std::time::Duration;

use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use crate::webhook::WebhookArguments;
use crate::webhook::authority::{self, Certified};
use crate::webhook::certificates::{Plan, Step, certified, filled, next};

const HOUR: Duration = Duration::from_secs(3600);
const NAME: &str = "webhook.system.svc";

fn plan() -> Plan {
    Plan {
        namespace: "system".to_owned(),
        service: "webhook".to_owned(),
        secret: "webhook-certs".to_owned(),
        lifetime: HOUR * 24,
        renew_before: HOUR * 6,
    }
}

fn start() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

fn at(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

fn made(time: Timestamp) -> Certified {
    authority::make(plan().names(), time, plan().lifetime).unwrap()
}

fn decide(stored: Option<&Certified>, serving: Option<&Certified>, hours: i64) -> Step {
    next(stored, serving, &plan(), at(hours)).unwrap()
}

fn stored_anew(step: Step) -> Certified {
    match step {
        Step::Store(certified) => certified,
        Step::Use(_) => panic!("nothing is stored"),
    }
}

#[test]
fn a_certificate_is_used_until_shortly_before_its_end() {
    let fresh = made(start());
    for (hours, used) in [(0, true), (17, true), (19, false), (30, false)] {
        let step = decide(Some(&fresh), Some(&fresh), hours);
        assert_eq!(
            step == Step::Use(fresh.clone()),
            used,
            "after {hours} hours"
        );
    }
}

#[test]
fn it_is_valid_for_its_lifetime_to_the_second() {
    let fresh = made(start());
    let second = SignedDuration::from_secs(1);
    for (time, valid) in [
        (at(-2), false),
        (at(-1), true),
        (at(24) - second, true),
        (at(24) + second, false),
    ] {
        assert_eq!(fresh.holds(NAME, time), valid, "at {time}");
    }
    assert!(!fresh.holds("other.system.svc", start()));
}

/// The order that loses no request: a bundle that trusts both is written before the new certificate
/// is served, and stays until nobody serves the old one.
#[test]
fn a_renewal_leaves_the_old_authority_in_the_bundle() {
    let old = made(start());
    let new = stored_anew(decide(Some(&old), Some(&old), 20));
    for certificate in [&old, &new] {
        assert!(certificate.is_trusted(&new.authority, NAME, at(20)));
    }
    assert!(!new.is_trusted(&old.authority, NAME, at(20)));
    assert_eq!(decide(Some(&new), Some(&old), 20), Step::Use(new.clone()));
    assert_eq!(decide(Some(&new), Some(&new), 20), Step::Use(new.clone()));
}

#[test]
fn a_bundle_does_not_grow_with_each_renewal() {
    let mut current = made(start());
    let mut longest = 0;
    for renewal in 1..10 {
        current = stored_anew(decide(Some(&current), Some(&current), renewal * 20));
        let count = current.authority.matches("BEGIN CERTIFICATE").count();
        longest = longest.max(count);
    }
    assert_eq!(longest, 2);
}

#[test]
fn a_secret_that_was_deleted_or_damaged_is_filled_anew() {
    let old = made(start());
    let other = made(start());
    let damaged = [
        None,
        Some(Certified {
            key: other.key.clone(),
            ..old.clone()
        }),
        Some(Certified {
            authority: other.authority.clone(),
            ..old.clone()
        }),
        Some(Certified {
            authority: "garbage".to_owned(),
            ..old.clone()
        }),
        Some(Certified {
            certificate: String::new(),
            ..old.clone()
        }),
    ];
    for stored in &damaged {
        let new = stored_anew(decide(stored.as_ref(), Some(&old), 1));
        assert!(new.holds(NAME, at(1)));
        assert!(old.is_trusted(&new.authority, NAME, at(1)), "{stored:?}");
        assert_eq!(decide(Some(&new), Some(&old), 1), Step::Use(new.clone()));
    }
}

#[test]
fn a_replica_that_starts_during_a_renewal_trusts_what_others_serve() {
    let old = made(start());
    let new = stored_anew(decide(Some(&old), None, 20));
    assert!(old.is_trusted(&new.authority, NAME, at(20)));
}

#[test]
fn a_certificate_from_elsewhere_is_taken_and_ours_stays_trusted_meanwhile() {
    let ours = made(start());
    let theirs = made(start());
    let both = stored_anew(decide(Some(&theirs), Some(&ours), 1));
    assert_eq!(both.certificate, theirs.certificate);
    for certificate in [&ours, &theirs] {
        assert!(certificate.is_trusted(&both.authority, NAME, at(1)));
    }
    assert_eq!(decide(Some(&both), Some(&ours), 1), Step::Use(both));
}

#[test]
fn of_two_replicas_the_slower_takes_what_the_faster_stored() {
    let old = made(start());
    let faster = stored_anew(decide(Some(&old), Some(&old), 20));
    let slower = stored_anew(decide(Some(&old), Some(&old), 20));
    assert_ne!(faster, slower);
    assert_eq!(decide(Some(&faster), Some(&old), 20), Step::Use(faster));
}

#[test]
fn a_secret_keeps_what_it_says_of_itself() {
    let fresh = made(start());
    let mut secret = filled(None, &fresh, &plan());
    assert_eq!(certified(&secret), Some(fresh.clone()));
    secret.metadata.resource_version = Some("7".to_owned());
    let again = filled(Some(&secret), &made(at(1)), &plan());
    assert_eq!(again.metadata, secret.metadata);
    secret.data = Some([("ca-cert.pem".to_owned(), ByteString(vec![0xff]))].into());
    assert_eq!(certified(&secret), None);
    assert_eq!(certified(&Secret::default()), None);
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    arguments: WebhookArguments,
}

/// A certificate that is due as soon as it is made would be made again and again.
#[test]
fn a_certificate_is_never_due_when_it_is_made() {
    for (lifetime, renew_before, expected) in [
        ("720h", "120h", (HOUR * 720, HOUR * 120)),
        ("2h", "120h", (HOUR * 2, HOUR)),
        ("30s", "0", (HOUR / 120, Duration::ZERO)),
        (
            "1ms",
            "1h",
            (Duration::from_secs(20), Duration::from_secs(10)),
        ),
    ] {
        let line = Line::parse_from([
            "webhook",
            "--certificate-lifetime",
            lifetime,
            "--certificate-renew-before",
            renew_before,
        ]);
        let plan = Plan::from(line.arguments);
        assert_eq!((plan.lifetime, plan.renew_before), expected);
        let step = next(None, None, &plan, start()).unwrap();
        let fresh = stored_anew(step);
        let again = next(Some(&fresh), None, &plan, start()).unwrap();
        assert_eq!(again, Step::Use(fresh));
    }
    for wrong in ["", "30", "-5m", "a month"] {
        let line = ["webhook", "--certificate-lifetime", wrong];
        assert!(Line::try_parse_from(line).is_err(), "{wrong:?}");
    }
}
