//! Waiting for something to become true, with a limit, and an error that says what was seen last.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(100);

/// What one look found.
#[derive(Debug)]
pub enum Seen<T> {
    /// What was waited for.
    Done(T),
    /// Something else: shown when time is up.
    NotYet(String),
}

/// Looks every tenth of a second until `look` is done. Errors of a look count as "not yet": the API
/// server may be away for a moment. Fails after `limit` with `what` and what the last look found.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Seen<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let last = match look().await {
            Ok(Seen::Done(value)) => return Ok(value),
            Ok(Seen::NotYet(seen)) => seen,
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= deadline {
            bail!(
                "{what}: not within {} s; last seen: {last}",
                limit.as_secs()
            );
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Seen, until};
    use std::time::Duration;

    #[tokio::test]
    async fn the_error_says_what_was_seen_last() {
        let limit = Duration::ZERO;
        let error = until::<()>("moon", limit, async || {
            Ok(Seen::NotYet("clouds".to_owned()))
        })
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "moon: not within 0 s; last seen: clouds");
    }

    #[tokio::test]
    async fn an_error_of_a_look_is_not_the_end() {
        let mut looks = 0;
        let found = until("value", Duration::from_secs(5), async || {
            looks += 1;
            anyhow::ensure!(looks > 1, "connection refused");
            Ok(Seen::Done(looks))
        });
        assert_eq!(found.await.unwrap(), 2);
    }
}
