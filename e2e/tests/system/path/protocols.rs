//! The version of HTTP that an app gets, and answers of every shape.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use e2e::namespace::in_namespace;
use e2e::service::host;
use e2e::subject::Subject;
use http::{Request, header};
use http_body_util::Full;
use serde_json::json;

/// A client's HTTP/2 stays so only if the port says that the app speaks it.
#[tokio::test]
async fn the_name_of_the_port_decides_what_the_app_is_spoken_to_in() -> Result<()> {
    in_namespace("protocols", async |space| {
        for (port, name, old, new) in [
            ("h2c", "two", "HTTP/2.0", "HTTP/2.0"),
            ("http1", "one", "HTTP/1.1", "HTTP/1.1"),
            ("", "unnamed", "HTTP/1.1", "HTTP/1.1"),
        ] {
            let ports = json!([{ "name": port, "containerPort": 8080 }]);
            let subject = Subject::new(space, name).container(json!({ "ports": ports }));
            let service = space.start(subject).await?;
            let over_one = &space.facts(&service, "").await?["protocol"];
            ensure!(over_one == old, "{port:?} over HTTP/1.1: {over_one}");
            let mut connection = space.cluster.gateway.http2().await?;
            let answer = connection.get(host(&service)?, "/facts").await?;
            ensure!(
                answer.status == 200,
                "{port:?}: {}: {}",
                answer.status,
                answer.body
            );
            let facts: serde_json::Value = serde_json::from_str(&answer.body)?;
            let over_two = &facts["protocol"];
            ensure!(over_two == new, "{port:?} over HTTP/2: {over_two}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn bodies_pass_whole_and_as_they_come() -> Result<()> {
    const SIZE: usize = 20_000_000;
    in_namespace("bodies", async |space| {
        let service = space.start(Subject::new(space, "bodies")).await?;
        let answer = space.ask(&service, &format!("/bytes?count={SIZE}")).await?;
        ensure!(
            answer.body.len() == SIZE,
            "{} bytes came",
            answer.body.len()
        );

        let sent: Bytes = (0..SIZE).map(|index| b'a' + (index % 23) as u8).collect();
        let request = Request::post("/echo")
            .header(header::HOST, host(&service)?)
            .body(Full::new(sent.clone()))?;
        let answer = space.cluster.gateway.send(request).await?;
        ensure!(
            answer.body.as_bytes() == sent,
            "{} bytes came back",
            answer.body.len()
        );

        let mut connection = space.cluster.gateway.connect().await?;
        let request = e2e::client::get(host(&service)?, "/events?count=4&every=1000")?;
        let mut events = connection.open(request).await?;
        for number in 0..4 {
            let event = events.next(Duration::from_secs(10)).await?;
            let event = event.with_context(|| format!("no event {number}"))?;
            ensure!(
                event == format!("data: {number}\n\n"),
                "event {number} is {event:?}"
            );
        }
        Ok(())
    })
    .await
}
