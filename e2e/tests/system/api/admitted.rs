//! What works is admitted, with a warning where it could be safer.

use anyhow::{Result, ensure};
use e2e::namespace::{Space, in_namespace};
use futures::{StreamExt, TryStreamExt, stream};

use super::row::{Row, rows, try_to_apply};

const TABLE: &str = include_str!("admitted.yaml");
/// How many kubectl at once.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn what_works_is_admitted_and_what_is_open_is_warned_of() -> Result<()> {
    in_namespace("admitted", async |space| {
        let rows = rows(space, TABLE)?;
        ensure!(rows.len() >= 15, "{} rows", rows.len());
        let checks = rows
            .iter()
            .enumerate()
            .map(|(index, row)| check(space, index, row));
        stream::iter(checks)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        println!("admitted: {} rows", rows.len());
        Ok(())
    })
    .await
}

/// kubectl shows a warning once for all objects of a call, so each row has a call of its own.
async fn check(space: &Space, index: usize, row: &Row) -> Result<()> {
    let said = try_to_apply(space, &row.object(&format!("row-{index}"))?).await?;
    ensure!(said.ok, "{row:?}: {}", said.stderr);
    let warnings: Vec<&str> = said
        .stderr
        .lines()
        .map(|line| line.trim_start_matches("Warning: ").trim_end())
        .collect();
    let expected: Vec<&str> = row.warns.iter().map(|text| text.trim_end()).collect();
    ensure!(warnings == expected, "{row:?}: warned of {warnings:?}");
    Ok(())
}
