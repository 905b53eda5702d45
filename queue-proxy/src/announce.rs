//! Telling the activators that the app is ready, the moment it is: Kubernetes tells them about a
//! second later (design: "Cold start" 3). Who is not reached, or doesn't believe us, waits for
//! Kubernetes: nothing depends on this.

use std::{net::SocketAddr, time::Duration, time::SystemTime};

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderValue, Request, StatusCode, header};
use net::{
    announcement::{Announcement, PATH},
    body::Body,
    upstream::{Protocol, Upstream, UpstreamSettings},
};
use prost::Message as _;
use tokio::{
    net::lookup_host,
    time::{sleep, timeout},
};
use tracing::{debug, info};

use crate::{
    args::{Herald, Identity},
    readiness::Readiness,
};

/// Pauses before the second and later tries. After them Kubernetes is as quick.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(400),
];
const LONGEST_LOOKUP: Duration = Duration::from_secs(2);
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

/// Tells everyone once, when the app has become ready. The addresses are looked up meanwhile.
pub async fn when_ready(herald: Herald, identity: Identity, readiness: Readiness) {
    let (activators, ()) = tokio::join!(lookup(&herald.to), readiness.started());
    let Some(activators) = activators else {
        return;
    };
    let said = Announcement {
        namespace: identity.namespace,
        revision: identity.revision,
        pod: identity.pod,
        ip: identity.pod_ip,
        ..Announcement::default()
    };
    let body = Bytes::from(said.signed(&herald.key, SystemTime::now()).encode_to_vec());
    join_all(activators.into_iter().map(|to| tell(to, body.clone()))).await;
}

async fn lookup(host: &str) -> Option<Vec<SocketAddr>> {
    match timeout(LONGEST_LOOKUP, lookup_host(host)).await {
        Ok(Ok(found)) => Some(found.collect()),
        Ok(Err(error)) => {
            debug!(%error, host, "Nobody to announce to");
            None
        }
        Err(_) => None,
    }
}

async fn tell(to: SocketAddr, body: Bytes) {
    let activator = Upstream::new(to, UpstreamSettings::default());
    for pause in PAUSES.map(Some).into_iter().chain([None]) {
        let answer = timeout(LONGEST_ANSWER, post(&activator, body.clone())).await;
        if let Ok(Some(status)) = answer {
            info!(%to, status = status.as_u16(), "Announced");
            return;
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
    debug!(%to, "Could not announce");
}

/// None if the activator did not answer.
async fn post(activator: &Upstream, body: Bytes) -> Option<StatusCode> {
    let host = HeaderValue::try_from(activator.addr().to_string()).ok()?;
    let request = Request::post(PATH).header(header::HOST, host);
    let request = request.body(Body::from(body)).ok()?;
    let response = activator.send(Protocol::Http1, request).await;
    response.ok().map(|response| response.status())
}
