use std::net::IpAddr;

use http::{Request, header::HOST};
use net::{
    authority,
    body::Body,
    contract::header,
    forward,
    forwarded::{annotate, strip_owned, synthesise},
    fuzz::for_a_while,
    upstream::Protocol,
};
use proptest::{prelude::any, prop_assert, prop_assert_eq, test_runner::TestCaseError};

use crate::requests::{request, value};

/// What no app may see of the way between the client and us.
const HOP_BY_HOP: [&str; 6] = [
    "keep-alive",
    "transfer-encoding",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "http2-settings",
];

#[test]
fn fuzz_headers_that_go_on() {
    let strategy = (request(), any::<IpAddr>(), "[ -~]{0,20}");
    for_a_while("headers", &strategy, |(mut request, peer, host)| {
        let headers = request.headers_mut();
        strip_owned(headers);
        annotate(headers, peer, &host, "http");
        synthesise(headers);
        owned_are_gone(&request)?;
        let told = request.headers().get_all(header::X_FORWARDED_FOR);
        let told: Vec<_> = told.iter().collect();
        prop_assert_eq!(told.len(), 1);
        let told = told[0]
            .to_str()
            .map_err(|_| TestCaseError::fail("not text"))?;
        prop_assert!(told.ends_with(&peer.to_canonical().to_string()));
        // What is there of it can be read.
        let spoken = request.headers().get(header::FORWARDED);
        prop_assert!(spoken.is_some());
        let upgrade = forward::prepare(&mut request);
        prop_assert_eq!(
            upgrade.is_some(),
            request.headers().contains_key("connection")
        );
        prop_assert_eq!(upgrade.is_some(), request.headers().contains_key("upgrade"));
        for name in HOP_BY_HOP {
            prop_assert!(!request.headers().contains_key(name), "{} went on", name);
        }
        let te: Vec<_> = request.headers().get_all("te").iter().collect();
        prop_assert!(te.is_empty() || te == ["trailers"], "te: {:?}", te);
        Ok(())
    });
}

fn owned_are_gone(request: &Request<Body>) -> Result<(), TestCaseError> {
    for name in request.headers().keys() {
        let name = name.as_str();
        prop_assert!(!name.starts_with("k-") && !name.starts_with("knative-serving-"));
    }
    Ok(())
}

/// Whom a request is for is decided once: who routes it and the app that gets it agree.
#[test]
fn fuzz_host_is_the_same_for_all_who_ask() {
    for_a_while("host", &(request(), value(), any::<bool>()), |case| {
        let (mut request, other, by_http2) = case;
        let protocol = if by_http2 {
            Protocol::Http2
        } else {
            Protocol::Http1
        };
        let asked = authority::host(&request).map(str::to_owned);
        let before = request.headers().clone();
        if authority::adapt(&mut request, protocol).is_ok() {
            let adapted = authority::host(&request).map(str::to_owned);
            prop_assert_eq!(&asked, &adapted);
            let hosts = request.headers().get_all(HOST).iter().count();
            match protocol {
                Protocol::Http1 => prop_assert!(request.uri().authority().is_none()),
                Protocol::Http2 => {
                    prop_assert!(request.uri().authority().is_some());
                    prop_assert_eq!(hosts, 0);
                }
            }
        }
        *request.headers_mut() = before;
        if authority::set_host(&mut request, other.clone()).is_ok() {
            let now = authority::host(&request).map(str::as_bytes);
            prop_assert!(now.is_none() || now == Some(other.as_bytes()));
        }
        Ok(())
    });
}
