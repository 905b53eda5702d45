//! What a waiting request costs, measured: alone in its process, as nothing else may grow meanwhile.
#![expect(clippy::unwrap_used, reason = "all of it is test")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use activator::fleet::Fleet;
use activator::handler::{Door, Handler, Transport};
use activator::metrics::Metrics;
use activator::report;
use activator::revision::{RevisionId, Settings};
use activator::route::{Table, TableReader};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use net::body::Body;
use net::serve::{ServeSettings, serve};
use prometheus::Registry;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

const REQUESTS: usize = 2000;
/// What is charged for a connection with a request that waits, and some more for the client's side of
/// it, which lives in this process, too.
const MOST: usize = 40 * 1024;

const DOOR: Door = Door::Revision(Transport::Plain);

fn handler() -> Handler {
    let metrics = Arc::new(Metrics::new(&Registry::new(), "activator-1").unwrap());
    let (reporter, ..) = report::build("ws://nobody".into(), "activator-1".into(), &metrics.stats);
    Handler {
        table: TableReader::fixed(Table::default()),
        certificates: activator::certificates::Certificates::default(),
        services: activator::services::Services::default(),
        fleet: Fleet::new(1 << 30, metrics),
        reporter,
        cluster_domain: "cluster.local".into(),
        shutdown: runtime::shutdown::Shutdown::default(),
        head: net::serve::HeadLimits::default(),
        log: activator::log::Log::default(),
    }
}

/// The memory of this process, bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

async fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: cart.shop.svc.cluster.local\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream
}

#[tokio::test]
async fn waiting_request_costs_no_more_memory_than_it_is_charged() {
    let handler = Arc::new(handler());
    let id = RevisionId::new("shop", "cart");
    handler.fleet.revision_changed(&id, Settings::default());
    let throttle = Arc::clone(handler.fleet.get(&id).unwrap().0.throttle());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = move |peer: SocketAddr| {
        let handler = Arc::clone(&handler);
        service_fn(move |request: Request<Incoming>| {
            let handler = Arc::clone(&handler);
            async move {
                let request = request.map(Body::from);
                Ok::<_, Infallible>(handler.handle(DOOR, peer, request).await)
            }
        })
    };
    let forever = std::future::pending();
    tokio::spawn(serve(listener, ServeSettings::default(), service, forever));
    let before = resident();
    let mut streams = Vec::with_capacity(REQUESTS);
    for waiting in 1..=REQUESTS {
        let joined = throttle.joined();
        streams.push(ask(address).await);
        if throttle.waiting() < waiting {
            joined.await;
        }
    }
    let each = resident().saturating_sub(before) / REQUESTS;
    println!("a waiting request costs {each} bytes");
    assert!(each < MOST, "{each}");
}
