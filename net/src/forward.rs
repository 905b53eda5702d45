//! Sends a request on and brings the response back: hop-by-hop headers stay here, upgrades become
//! tunnels, everything else passes as it is, frame by frame, trailers included, never decoded.
//!
//! [`prepare`] once, [`Upstream::send`] as often as needed, then [`finish`].
//!
//! [`Upstream::send`]: crate::upstream::Upstream::send

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE},
};
use hyper::upgrade::OnUpgrade;

use crate::{
    body::{Body, Guarded},
    tunnel::Tunnel,
};

/// A client that asked for another protocol, and what it asked for.
#[derive(Debug)]
pub struct Upgrade {
    client: OnUpgrade,
    protocol: HeaderValue,
}

/// Takes the hop-by-hop headers off (RFC 9110 7.6.1); `te: trailers` stays, gRPC needs it. What an
/// upgrade needs is put back on.
pub fn prepare(request: &mut Request<Body>) -> Option<Upgrade> {
    let upgrade = Upgrade::asked_by(request);
    let headers = request.headers_mut();
    let trailers = headers.get(TE).is_some_and(names_trailers);
    strip_hop_by_hop(headers);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = &upgrade {
        upgrade.mark(headers);
    }
    upgrade
}

/// Takes the hop-by-hop headers off; joins the two sides if both want to upgrade. A response of 101 is
/// then joined to the client's side; its extensions hold the [`Tunnel`].
pub fn finish(mut response: Response<Body>, upgrade: Option<Upgrade>) -> Response<Body> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        strip_hop_by_hop(response.headers_mut());
        return response;
    }
    let protocol = response.headers().get(UPGRADE).cloned();
    strip_hop_by_hop(response.headers_mut());
    let Some((upgrade, protocol)) = upgrade.zip(protocol) else {
        // An app that switches without being asked: nobody could go on from here.
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return response;
    };
    let app = hyper::upgrade::on(&mut response);
    let switched = Upgrade {
        client: upgrade.client,
        protocol,
    };
    switched.mark(response.headers_mut());
    let tunnel = Tunnel::default();
    response.extensions_mut().insert(tunnel.clone());
    tunnel.spawn(switched.client, app);
    // The head is all that HTTP says here; the lease of the connection ends with it.
    response.map(|_| Body::Empty)
}

/// Keeps `guard` alive until the response's body, or its tunnel, has ended.
pub fn hold<B, G>(response: Response<B>, guard: G) -> Response<Guarded<B, G>>
where
    B: http_body::Body,
    G: Send + 'static,
{
    let tunnel = response.extensions().get::<Tunnel>().cloned();
    let (head, body) = response.into_parts();
    let body = match tunnel {
        Some(tunnel) => {
            tunnel.hold(guard);
            Guarded::free(body)
        }
        None => Guarded::new(body, guard),
    };
    Response::from_parts(head, body)
}

// === impl Upgrade ===

impl Upgrade {
    fn asked_by(request: &mut Request<Body>) -> Option<Self> {
        let headers = request.headers();
        let asks = |value: &HeaderValue| lists(value).any(|name| name == "upgrade");
        if !headers.get_all(CONNECTION).iter().any(asks) {
            return None;
        }
        let protocol = headers.get(UPGRADE)?.clone();
        // A client that speaks HTTP/2 by upgrade gets the HTTP/1.1 that it came with.
        let unwanted = protocol.as_bytes().eq_ignore_ascii_case(b"h2c");
        (!unwanted).then(|| Self {
            client: hyper::upgrade::on(request),
            protocol,
        })
    }

    fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, self.protocol.clone());
    }
}

// === headers ===

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    // `trailer` announces trailers, which we pass on: it stays.
    HeaderName::from_static("http2-settings"),
];

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    while let Some(value) = headers.remove(CONNECTION) {
        for name in lists(&value) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn names_trailers(value: &HeaderValue) -> bool {
    lists(value).any(|coding| coding == "trailers")
}

/// The elements of a comma-separated list, in lower case.
fn lists(value: &HeaderValue) -> impl Iterator<Item = String> {
    let text = value.to_str().unwrap_or_default();
    text.split(',').map(|name| name.trim().to_ascii_lowercase())
}
