use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use tokio::time::Instant;

use super::book::{Book, Entry};
use super::{EventKind, LONGEST_NOTE, Note, Recorder, shortened};

fn note(object: &str, message: &str) -> Note {
    Note {
        regarding: ObjectReference {
            name: Some(object.to_owned()),
            ..ObjectReference::default()
        },
        kind: EventKind::Normal,
        reason: "Created".to_owned(),
        message: message.to_owned(),
    }
}

fn count(entry: Entry) -> Option<i32> {
    match entry {
        Entry::New(_) => Some(1),
        Entry::Again { count, .. } => Some(count),
        Entry::Silent => None,
    }
}

#[test]
fn a_repetition_is_counted_and_told_ever_more_seldom() {
    let (mut book, now) = (Book::default(), Instant::now());
    let told: Vec<_> = (0..9)
        .map(|_| count(book.take_down(&note("a", "x"), now)))
        .collect();
    let wanted = [1, 2, 0, 4, 0, 0, 0, 8, 0].map(|count| (count > 0).then_some(count));
    assert_eq!(told, wanted);
}

#[test]
fn another_message_and_another_object_are_other_events() {
    let (mut book, now) = (Book::default(), Instant::now());
    for (object, message) in [("a", "x"), ("a", "y"), ("b", "x")] {
        let entry = book.take_down(&note(object, message), now);
        assert!(matches!(entry, Entry::New(_)), "{object} {message}");
    }
}

#[test]
fn after_its_time_an_event_is_new_again() {
    let (mut book, now) = (Book::default(), Instant::now());
    let first = book.take_down(&note("a", "x"), now);
    let second = book.take_down(&note("a", "x"), now + Duration::from_secs(601));
    assert!(matches!(second, Entry::New(_)));
    assert_ne!(first, second, "the first one still stands under its number");
}

#[test]
fn one_object_can_not_fill_the_cluster_with_events() {
    let (mut book, now) = (Book::default(), Instant::now());
    let new = (0..100).filter(|number| {
        let entry = book.take_down(&note("a", &number.to_string()), now);
        entry != Entry::Silent
    });
    assert_eq!(new.count(), 25);
    assert!(matches!(
        book.take_down(&note("b", "x"), now),
        Entry::New(_)
    ));
}

#[tokio::test]
async fn a_full_queue_loses_events_and_keeps_nobody_waiting() {
    let (recorder, mut notes) = Recorder::pair();
    for number in 0..5000 {
        let message = number.to_string();
        recorder
            .publish(&ConfigMap::default(), EventKind::Warning, "Broken", message)
            .await;
    }
    assert_eq!(notes.recv().await.unwrap().message, "0");
    assert_eq!(notes.len(), 1023);
}

#[test]
fn a_long_message_is_cut_between_characters() {
    assert_eq!(shortened("short".to_owned()), "short");
    let cut = shortened("é".repeat(2000));
    assert!(cut.len() <= LONGEST_NOTE && cut.ends_with("é…"));
}
