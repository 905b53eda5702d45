use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::{any, proptest};

use super::{Announcement, MasterKey, RevisionKey, Unbelieved};

fn key(revision: &str, uid: &str) -> RevisionKey {
    let master = MasterKey::new(b"a master key of enough bytes").unwrap();
    master.of_revision("shop", revision, uid)
}

fn announcement() -> Announcement {
    Announcement {
        namespace: "shop".to_owned(),
        revision: "cart-00001".to_owned(),
        pod: "cart-00001-deployment-x".to_owned(),
        ip: "10.0.0.7".to_owned(),
        ..Announcement::default()
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

#[test]
fn announcement_is_believed_with_its_key_from_its_address_in_its_time() {
    let ours = key("cart-00001", "uid-1");
    let said = announcement().signed(&ours, at(1000));
    assert_eq!(said.verify(&ours, PEER, at(1059)), Ok(PEER));
    assert_eq!(said.verify(&ours, PEER, at(941)), Ok(PEER));

    let others = [key("cart-00002", "uid-1"), key("cart-00001", "uid-2")];
    for other in others {
        assert_eq!(said.verify(&other, PEER, at(1000)), Err(Unbelieved::Forged));
    }
    for time in [939, 1061, 1_000_000] {
        assert_eq!(said.verify(&ours, PEER, at(time)), Err(Unbelieved::Stale));
    }
    let stranger = "10.0.0.8".parse().unwrap();
    assert_eq!(
        said.verify(&ours, stranger, at(1000)),
        Err(Unbelieved::Foreign)
    );
}

#[test]
fn nothing_of_it_can_be_changed() {
    let ours = key("cart-00001", "uid-1");
    let said = announcement().signed(&ours, at(1000));
    let changes: [fn(&mut Announcement); 6] = [
        |said| said.namespace.push('x'),
        |said| said.revision.push('x'),
        |said| said.pod.push('x'),
        |said| said.ip = "10.0.0.8".to_owned(),
        |said| said.at_ms += 1,
        |said| said.signature.clear(),
    ];
    for change in changes {
        let mut changed = said.clone();
        change(&mut changed);
        let verdict = changed.verify(&ours, PEER, at(1000));
        assert_eq!(verdict, Err(Unbelieved::Forged), "{changed:?}");
    }
    // Moving a letter from one text to the next is a change, too.
    let mut moved = said.clone();
    moved.namespace = "shopc".to_owned();
    moved.revision = "art-00001".to_owned();
    assert_eq!(moved.verify(&ours, PEER, at(1000)), Err(Unbelieved::Forged));
}

#[test]
fn key_travels_as_hex_and_is_never_shown() {
    let ours = key("cart-00001", "uid-1");
    let hex = ours.to_hex();
    assert_eq!(hex.len(), 64);
    assert_eq!(hex.parse(), Ok(ours.clone()));
    assert_eq!(format!("{ours:?}"), "RevisionKey");
    for text in ["", "00", &"zz".repeat(32), &"é".repeat(32)] {
        assert!(text.parse::<RevisionKey>().is_err(), "{text}");
    }
    assert!(MasterKey::new(b"short").is_none());
}

proptest! {
    #[test]
    fn no_signature_can_be_guessed(signature in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut said = announcement();
        said.at_ms = 1_000_000;
        said.signature = signature;
        let verdict = said.verify(&key("cart-00001", "uid-1"), PEER, at(1000));
        assert_eq!(verdict, Err(Unbelieved::Forged));
    }
}
