//! Measures a proxy on this machine: `loopback app 8080` is the smallest app there is, and
//! `loopback load http://127.0.0.1:8012/ 32 5` asks it over 32 connections for 5 seconds.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, Uri, header::HOST};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use net::{
    body::Body,
    serve::{ServeSettings, serve},
    upstream::{Protocol, Upstream, UpstreamSettings},
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, time::Instant};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["app", port] => app(port.parse()?).await,
        ["load", uri, connections, seconds] => {
            let uri = uri.parse()?;
            load(uri, connections.parse()?, seconds.parse()?).await
        }
        _ => Err("app PORT | load URI CONNECTIONS SECONDS".into()),
    }
}

async fn app(port: u16) -> Result<(), Error> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let hello = |_: SocketAddr| {
        service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::from("Hello World!\n"))) })
    };
    serve(
        listener,
        ServeSettings::default(),
        hello,
        std::future::pending(),
    )
    .await;
    Ok(())
}

async fn load(uri: Uri, connections: usize, seconds: u64) -> Result<(), Error> {
    let authority = uri.authority().ok_or("no host")?.to_string();
    let upstream = Upstream::new(authority.parse()?, UpstreamSettings::default());
    let end = Instant::now() + Duration::from_secs(seconds);
    let took = Arc::new(Mutex::new(Vec::new()));
    let asking: Vec<_> = (0..connections)
        .map(|_| {
            let (upstream, took) = (Arc::clone(&upstream), Arc::clone(&took));
            let (uri, host) = (uri.clone(), HeaderValue::try_from(&authority));
            tokio::spawn(async move {
                let mut own = Vec::new();
                let host = host?;
                while Instant::now() < end {
                    let start = Instant::now();
                    let mut request = Request::new(Body::Empty);
                    *request.uri_mut() = uri.clone();
                    request.headers_mut().insert(HOST, host.clone());
                    let sent = upstream.send(Protocol::Http1, request).await;
                    let response = sent.map_err(|error| error.to_string())?;
                    let status = response.status();
                    response.into_body().collect().await?;
                    if status != 200 {
                        return Err(Error::from(format!("answer {status}")));
                    }
                    own.push(start.elapsed());
                }
                took.lock().extend(own);
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in asking {
        task.await??;
    }
    let mut took = std::mem::take(&mut *took.lock());
    took.sort_unstable();
    let at = |part: usize| {
        took.get(took.len() * part / 1000)
            .copied()
            .unwrap_or_default()
    };
    let rate = took.len() as u64 / seconds;
    println!("{rate} req/s, p50 {:?}, p99 {:?}", at(500), at(990));
    Ok(())
}
