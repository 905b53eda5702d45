//! From one revision to the next without fewer pods than are wanted at any time.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::in_namespace;
use e2e::scenario::transition;

/// Longer than a decision of the autoscaler takes.
const WHILE: Duration = Duration::from_secs(4);

#[tokio::test]
async fn the_old_pods_stay_until_the_last_new_one_is_ready() -> Result<()> {
    in_namespace("transition", async |space| {
        transition::one_by_one(space, 3, WHILE).await
    })
    .await
}
