//! A rollout of a minute.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::in_namespace;
use e2e::scenario::rollout;

#[tokio::test]
async fn a_rollout_of_a_minute_takes_a_minute_and_no_request() -> Result<()> {
    in_namespace("gradual", async |space| {
        rollout::gradual(space, Duration::from_mins(1)).await
    })
    .await
}
