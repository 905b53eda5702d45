use std::time::Duration;

use kube::runtime::reflector::ObjectRef;
use tokio::time::Instant;

use super::question;
use crate::revision::digests::Look;
use crate::revision::digests::book::{Asker, Book};

fn asker(name: &str) -> Asker {
    Asker {
        uid: format!("uid-{name}"),
        revision: ObjectRef::new(name).within("ns"),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failed(cause: &str, again: Option<Duration>) -> Look {
    let cause = cause.to_owned();
    Look::Failed { cause, again }
}

#[test]
fn an_open_question_is_worked_on_once_and_its_answer_wakes_all_who_asked() {
    let (mut book, now) = (Book::default(), Instant::now());
    let question = question("r.io", "app", "1");
    for name in ["a", "b", "a"] {
        assert_eq!(book.look(&asker(name), question.clone(), now), Look::Asking);
    }
    assert_eq!(book.next(), Some(question.clone()));
    assert_eq!(book.next(), None);
    let woken = book.answer(&question, &Ok("digest".to_owned()), now, 0.0);
    assert_eq!(woken, [asker("a").revision, asker("b").revision]);
    for name in ["a", "b"] {
        let look = book.look(&asker(name), question.clone(), now);
        assert_eq!(look, Look::Answered("digest".to_owned()));
    }
    assert_eq!(book.next(), None);
}

#[test]
fn an_answer_belongs_to_those_who_asked_because_tags_move() {
    let (mut book, now) = (Book::default(), Instant::now());
    let question = question("r.io", "app", "1");
    book.look(&asker("a"), question.clone(), now);
    book.next();
    book.answer(&question, &Ok("old".to_owned()), now, 0.0);
    assert_eq!(book.look(&asker("b"), question.clone(), now), Look::Asking);
    assert_eq!(book.next(), Some(question.clone()));
    book.forget("uid-a");
    assert_eq!(book.look(&asker("a"), question, now), Look::Asking);
}

#[test]
fn a_failure_is_known_until_the_next_answer_and_pauses_double() {
    let (mut book, mut now) = (Book::default(), Instant::now());
    let (asker, question) = (asker("a"), question("r.io", "app", "1"));
    assert_eq!(book.look(&asker, question.clone(), now), Look::Asking);
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(book.next(), Some(question.clone()));
        book.answer(&question, &Err("no".to_owned()), now, 1.0);
        let look = book.look(&asker, question.clone(), now);
        assert_eq!(look, failed("no", Some(seconds(pause))));
        assert_eq!(book.next(), None);
        now += seconds(pause);
        let look = book.look(&asker, question.clone(), now);
        assert_eq!(look, failed("no", None));
    }
    book.next();
    book.answer(&question, &Ok("digest".to_owned()), now, 1.0);
    let look = book.look(&asker, question, now);
    assert_eq!(look, Look::Answered("digest".to_owned()));
}

#[test]
fn half_of_a_pause_is_by_chance() {
    let (mut book, now) = (Book::default(), Instant::now());
    let question = question("r.io", "app", "1");
    book.look(&asker("a"), question.clone(), now);
    book.answer(&question, &Err("no".to_owned()), now, 0.0);
    let look = book.look(&asker("a"), question, now);
    assert_eq!(look, failed("no", Some(Duration::from_millis(500))));
}

#[test]
fn who_does_not_look_any_more_is_forgotten() {
    let (mut book, now) = (Book::default(), Instant::now());
    let question = question("r.io", "app", "1");
    for number in 0..100 {
        book.look(&asker(&number.to_string()), question.clone(), now);
    }
    book.answer(&question, &Ok("digest".to_owned()), now, 0.0);
    assert_eq!(book.pages(), 100);
    book.look(&asker("late"), question, now + seconds(900));
    assert_eq!(book.pages(), 1);
}
