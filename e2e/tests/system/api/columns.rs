//! `kubectl get` shows the columns that people know, filled.

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{self, kubectl};
use e2e::namespace::in_namespace;
use e2e::service::{Wanted, host};

const KINDS: &str = "ksvc,rt,cfg,rev,kpa,sks,king,dm";
/// Any value but none.
const ANY: &str = "*";

/// Headings, as upstream's CRDs have them. There is no age.
const HEADINGS: [&[&str]; 8] = [
    &[
        "NAME",
        "URL",
        "LATESTCREATED",
        "LATESTREADY",
        "READY",
        "REASON",
    ],
    &["NAME", "URL", "READY", "REASON"],
    &["NAME", "LATESTCREATED", "LATESTREADY", "READY", "REASON"],
    &[
        "NAME",
        "CONFIG NAME",
        "GENERATION",
        "READY",
        "REASON",
        "ACTUAL REPLICAS",
        "DESIRED REPLICAS",
    ],
    &["NAME", "DESIREDSCALE", "ACTUALSCALE", "READY", "REASON"],
    &[
        "NAME",
        "MODE",
        "ACTIVATORS",
        "SERVICENAME",
        "PRIVATESERVICENAME",
        "READY",
        "REASON",
    ],
    &["NAME", "READY", "REASON"],
    &["NAME", "URL", "READY", "REASON"],
];

#[tokio::test]
async fn a_ready_service_fills_the_columns_that_people_know() -> Result<()> {
    in_namespace("columns", async |space| {
        let wanted = Wanted::new("app", space.cluster.hello_image())
            .annotation("autoscaling.knative.dev/min-scale", "1");
        let service = space.deploy(wanted).await?;
        kubectl::apply(&space.name, &mapping(&space.name))
            .await?
            .good()?;
        let url = format!("http://{}", host(&service)?);
        let cells: [&[&str]; 7] = [
            &[
                "service.serving.knative.dev/app",
                &url,
                "app-00001",
                "app-00001",
                "True",
                "",
            ],
            &["route.serving.knative.dev/app", &url, "True", ""],
            &[
                "configuration.serving.knative.dev/app",
                "app-00001",
                "app-00001",
                "True",
                "",
            ],
            &[
                "revision.serving.knative.dev/app-00001",
                "app",
                "1",
                "True",
                "",
                "1",
                "1",
            ],
            &[
                "podautoscaler.autoscaling.internal.knative.dev/app-00001",
                "1",
                "1",
                "True",
                "",
            ],
            &[
                "serverlessservice.networking.internal.knative.dev/app-00001",
                ANY,
                ANY,
                "app-00001",
                "app-00001-private",
                "True",
                "",
            ],
            &["ingress.networking.internal.knative.dev/app", "True", ""],
        ];
        let said = kubectl(&["get", KINDS, "-n", &space.name], "")
            .await?
            .good()?;
        let tables: Vec<_> = said.trim_end().split("\n\n").collect();
        ensure!(tables.len() == HEADINGS.len(), "{said}");
        for (at, (table, headings)) in tables.iter().zip(HEADINGS).enumerate() {
            let rows = cut(table, headings).with_context(|| said.clone())?;
            let Some(expected) = cells.get(at) else {
                continue;
            };
            let fits = rows.iter().any(|row| fits(row, expected));
            ensure!(fits, "{rows:?} is not {expected:?}");
        }
        Ok(())
    })
    .await
}

/// It has a row before anybody looks at it, so that there is a heading.
fn mapping(namespace: &str) -> String {
    format!(
        "{{apiVersion: serving.knative.dev/v1beta1, kind: DomainMapping, \
         metadata: {{name: {namespace}.example.org}}, \
         spec: {{ref: {{apiVersion: serving.knative.dev/v1, kind: Service, name: app}}}}}}"
    )
}

/// The rows of a table with these headings, in cells.
fn cut<'a>(table: &'a str, headings: &[&str]) -> Result<Vec<Vec<&'a str>>> {
    let mut lines = table.lines();
    let heading = lines.next().context("no heading")?;
    let words: Vec<_> = heading
        .split("  ")
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    ensure!(words == headings, "{heading:?} is not {headings:?}");
    let (mut starts, mut from) = (Vec::new(), 0);
    for word in headings {
        let at = heading.get(from..).and_then(|rest| rest.find(word));
        let start = from + at.context("no such heading")?;
        starts.push(start);
        from = start + word.len();
    }
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    let spans: Vec<_> = starts.iter().copied().zip(ends).collect();
    let cells = |line: &'a str| {
        let cell = |&(start, end): &(usize, usize)| {
            line.get(start..end.min(line.len()))
                .unwrap_or_default()
                .trim()
        };
        spans.iter().map(cell).collect()
    };
    Ok(lines.map(cells).collect())
}

fn fits(row: &[&str], expected: &[&str]) -> bool {
    let fits =
        |(seen, wanted): (&&str, &&str)| seen == wanted || *wanted == ANY && !seen.is_empty();
    row.len() == expected.len() && row.iter().zip(expected).all(fits)
}
