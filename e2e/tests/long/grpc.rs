//! gRPC for a minute, on a connection each.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::in_namespace;
use e2e::scenario::calls;

#[tokio::test]
async fn a_minute_of_grpc_calls_has_its_pods_and_their_end_takes_them() -> Result<()> {
    in_namespace("grpc-updown", async |space| {
        calls::up_down_up(space, "10s", Duration::from_mins(1)).await
    })
    .await
}
