use futures::FutureExt as _;
use http::HeaderValue;
use http_body_util::BodyExt as _;
use tokio::time::{advance, sleep};

use super::{FORBEARANCE, GRACE, Loan, Slot, Slots, TURN};
use crate::breaker::Breaker;

fn slots(limit: usize) -> Slots {
    Slots::new(Breaker::new(limit, 10))
}

fn id(name: &'static str) -> HeaderValue {
    HeaderValue::from_static(name)
}

fn is_wanted(loan: &mut Loan) -> bool {
    loan.frame().now_or_never().is_some()
}

#[tokio::test]
async fn request_uses_the_slot_that_is_lent_to_it_and_others_wait() {
    let slots = slots(1);
    let loan = slots.lend(id("x")).await.unwrap();
    assert_eq!(slots.requests(), 0);
    let (mine, unknown) = (id("x"), id("y"));
    let mut other = Box::pin(slots.enter(Some(&unknown)));
    assert!(other.as_mut().now_or_never().is_none());
    let slot = slots.enter(Some(&mine)).await.unwrap();
    assert!(matches!(slot, Slot::Borrowed(_)));
    assert_eq!(slots.requests(), 2);
    // A second request of the same name is one too many.
    assert!(slots.enter(Some(&mine)).now_or_never().is_none());
    drop(loan);
    assert!(other.as_mut().now_or_never().is_none(), "still in use");
    drop(slot);
    assert!(matches!(other.await, Ok(Slot::Own(_))));
}

#[tokio::test]
async fn borrower_hears_once_that_somebody_waits() {
    let slots = slots(1);
    let mut loan = slots.lend(id("x")).await.unwrap();
    assert!(!is_wanted(&mut loan));
    let mut next = Box::pin(slots.lend(id("y")));
    assert!(next.as_mut().now_or_never().is_none());
    assert!(is_wanted(&mut loan));
    assert!(!is_wanted(&mut loan));
    drop(loan);
    let mut next = next.await.unwrap();
    assert!(!is_wanted(&mut next), "nobody waits any more");
    assert_eq!(slots.breaker().queued(), 0);
}

#[tokio::test]
async fn slot_that_is_wanted_already_is_lent_with_that_word() {
    let slots = slots(1);
    let first = slots.lend(id("x")).await.unwrap();
    let mut second = Box::pin(slots.lend(id("y")));
    let mut third = Box::pin(slots.lend(id("z")));
    assert!(second.as_mut().now_or_never().is_none());
    assert!(third.as_mut().now_or_never().is_none());
    drop(first);
    let mut second = second.await.unwrap();
    assert!(is_wanted(&mut second));
}

#[tokio::test]
async fn line_of_asks_is_bounded_and_who_gives_up_leaves_it() {
    let slots = slots(1);
    let _loan = slots.lend(id("x")).await.unwrap();
    let mut asks: Vec<_> = (0..10).map(|_| Box::pin(slots.lend(id("y")))).collect();
    for ask in &mut asks {
        assert!(ask.as_mut().now_or_never().is_none());
    }
    assert!(
        slots
            .lend(id("z"))
            .now_or_never()
            .is_some_and(|full| full.is_err())
    );
    assert_eq!(slots.requests(), 0);
    asks.clear();
    assert!(slots.lend(id("z")).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn idle_slot_is_taken_from_a_borrower_that_does_not_give_it_back() {
    let slots = slots(1);
    let mine = id("x");
    let mut loan = slots.lend(id("x")).await.unwrap();
    let slot = slots.enter(Some(&mine)).await.unwrap();
    let mut next = Box::pin(slots.lend(id("y")));
    assert!(next.as_mut().now_or_never().is_none());
    assert!(is_wanted(&mut loan));
    let later = sleep(10 * FORBEARANCE);
    tokio::select! {
        _ = loan.frame() => unreachable!("it is in use"),
        () = later => {}
    }
    drop(slot);
    assert!(loan.frame().await.is_none());
    drop(loan);
    next.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn next_one_has_the_slot_as_soon_as_a_request_ends_after_the_turn() {
    for (time, over) in [(TURN / 2, false), (TURN + GRACE, true)] {
        let slots = slots(1);
        let mine = id("x");
        let mut loan = slots.lend(id("x")).await.unwrap();
        let slot = slots.enter(Some(&mine)).await.unwrap();
        let mut next = Box::pin(slots.lend(id("y")));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(is_wanted(&mut loan));
        advance(time).await;
        drop(slot);
        let lent = next.as_mut().now_or_never();
        assert_eq!(lent.is_some(), over, "{time:?}");
        let ended = loan.frame().now_or_never();
        assert_eq!(ended.is_some_and(|frame| frame.is_none()), over, "{time:?}");
        let mut again = Box::pin(slots.enter(Some(&mine)));
        let again = again.as_mut().now_or_never();
        assert_eq!(again.is_some(), !over, "{time:?}");
    }
}
