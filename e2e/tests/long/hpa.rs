//! The HPA class, up to five pods and down to one, twice.

use std::time::Duration;

use anyhow::Result;
use e2e::namespace::in_namespace;
use e2e::scenario::cpu;

const UP: Duration = Duration::from_mins(10);
const DOWN: Duration = Duration::from_mins(15);

#[tokio::test]
async fn load_on_the_cpu_brings_five_pods_its_end_takes_four_and_load_brings_them_again()
-> Result<()> {
    in_namespace("hpa-updown", async |space| {
        cpu::up_and_down(space, 5, 2, [UP, DOWN]).await
    })
    .await
}
