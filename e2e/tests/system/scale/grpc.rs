//! gRPC calls count as requests do.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::in_namespace;
use e2e::scenario::calls;
use e2e::service::SHORT_WINDOW;

#[tokio::test]
async fn grpc_calls_bring_pods_their_end_takes_them_and_calls_bring_them_again() -> Result<()> {
    in_namespace("grpc-updown", async |space| {
        calls::up_down_up(space, SHORT_WINDOW, Duration::from_secs(4)).await
    })
    .await
}
