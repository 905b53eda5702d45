//! Pods that are replaced again and again.

use anyhow::Result;
use e2e::namespace::in_namespace;
use e2e::scenario::workload;

const ROUNDS: usize = 4;

#[tokio::test]
async fn pods_are_replaced_four_times_behind_activators() -> Result<()> {
    in_namespace("workload-all", async |space| {
        workload::replaced(space, "buffered", "-1", ROUNDS).await
    })
    .await
}

#[tokio::test]
async fn pods_are_replaced_four_times_without_activators() -> Result<()> {
    in_namespace("workload-none", async |space| {
        workload::replaced(space, "direct", "0", ROUNDS).await
    })
    .await
}
