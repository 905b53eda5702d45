//! Headers that say who forwarded a request (contract/data-plane 2.3, 3.7), and the removal of
//! headers that only we may set.

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use crate::contract::header;

/// Removes what only we may set: `Knative-Serving-*` and `K-*`.
pub fn strip_owned(headers: &mut HeaderMap) {
    let owned = |name: &HeaderName| {
        header::OWNED_PREFIXES
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
    };
    // Nearly all requests have few of them; none costs no allocation.
    while let Some(name) = headers.keys().find(|name| owned(name)).cloned() {
        headers.remove(name);
    }
}

/// Appends `peer` to `X-Forwarded-For`, and says protocol and host unless someone before us did.
/// An empty host is not said.
pub fn annotate(headers: &mut HeaderMap, peer: IpAddr, host: &str, proto: &'static str) {
    let mut list = String::with_capacity(64);
    for before in headers.get_all(header::X_FORWARDED_FOR) {
        if let Ok(before) = before.to_str() {
            list.push_str(before);
            list.push_str(", ");
        }
    }
    // Writing to a string can't fail.
    let _ = write!(list, "{}", peer.to_canonical());
    if let Ok(list) = HeaderValue::try_from(list) {
        headers.insert(header::X_FORWARDED_FOR, list);
    }
    let proto = HeaderValue::from_static(proto);
    headers.entry(header::X_FORWARDED_PROTO).or_insert(proto);
    if !host.is_empty()
        && let Ok(host) = HeaderValue::from_str(host)
    {
        headers.entry(header::X_FORWARDED_HOST).or_insert(host);
    }
}

/// Adds `Forwarded` (RFC 7239) made of the `X-Forwarded-*` headers, unless it is there already or
/// there is nothing to say.
pub fn synthesise(headers: &mut HeaderMap) {
    if headers.contains_key(header::FORWARDED) {
        return;
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let peers = text(header::X_FORWARDED_FOR);
    let (host, proto) = (
        text(header::X_FORWARDED_HOST),
        text(header::X_FORWARDED_PROTO),
    );
    if let Ok(value) = HeaderValue::try_from(forwarded(peers, host, proto))
        && !value.is_empty()
    {
        headers.insert(header::FORWARDED, value);
    }
}

/// `for=a;host=h;proto=p, for=b`: the first element is the client's, the others are proxies.
fn forwarded(peers: Option<&str>, host: Option<&str>, proto: Option<&str>) -> String {
    let peers = peers.unwrap_or_default();
    let mut text = String::with_capacity(peers.len() + 64);
    let mut peers = peers.split(',').map(str::trim).filter(|p| !p.is_empty());
    let mut separator = "";
    if let Some(client) = peers.next() {
        push_node(&mut text, client);
        separator = ";";
    }
    for (key, value) in [("host=", host), ("proto=", proto)] {
        if let Some(value) = value {
            text.push_str(separator);
            text.push_str(key);
            push_quoted_if_needed(&mut text, value);
            separator = ";";
        }
    }
    for peer in peers {
        text.push_str(", ");
        push_node(&mut text, peer);
    }
    text
}

/// IPv6 addresses stand in brackets and quotes.
fn push_node(text: &mut String, peer: &str) {
    text.push_str("for=");
    let bare = peer.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<Ipv6Addr>().is_ok() {
        text.extend(["\"[", bare, "]\""]);
    } else {
        push_quoted_if_needed(text, peer);
    }
}

/// A token as it is; anything else in quotes.
fn push_quoted_if_needed(text: &mut String, value: &str) {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !value.is_empty() && value.chars().all(token) {
        text.push_str(value);
        return;
    }
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::{annotate, forwarded, strip_owned, synthesise};
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    #[test]
    fn forwarded_follows_rfc_7239() {
        for (peers, host, proto, expected) in [
            (None, None, None, ""),
            (Some("10.0.0.1"), None, None, "for=10.0.0.1"),
            (
                Some("10.0.0.1, 10.0.0.2"),
                Some("h.example.com"),
                Some("http"),
                "for=10.0.0.1;host=h.example.com;proto=http, for=10.0.0.2",
            ),
            (Some("2001:db8::1"), None, None, "for=\"[2001:db8::1]\""),
            (None, Some("h:8080"), None, "host=\"h:8080\""),
        ] {
            assert_eq!(forwarded(peers, host, proto), expected);
        }
    }

    #[test]
    fn what_is_there_stays_and_the_peer_is_appended() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("1.2.3.4"));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        annotate(
            &mut headers,
            "::ffff:10.0.0.9".parse().unwrap(),
            "h",
            "http",
        );
        assert_eq!(headers["x-forwarded-for"], "1.2.3.4, 10.0.0.9");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "h");
        synthesise(&mut headers);
        assert_eq!(
            headers["forwarded"],
            "for=1.2.3.4;host=h;proto=https, for=10.0.0.9"
        );
    }

    #[test]
    fn our_own_headers_are_dropped_and_others_stay() {
        let mut headers = HeaderMap::new();
        for name in [
            "knative-serving-revision",
            "k-network-probe",
            "k-original-host",
            "x-user",
        ] {
            headers.insert(name, HeaderValue::from_static("v"));
        }
        strip_owned(&mut headers);
        assert_eq!(
            headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["x-user"]
        );
    }

    proptest! {
        #[test]
        fn no_header_value_breaks_it(peers in ".*", host in ".*") {
            let mut headers = HeaderMap::new();
            for (name, value) in [("x-forwarded-for", &peers), ("x-forwarded-host", &host)] {
                if let Ok(value) = HeaderValue::try_from(value.as_str()) {
                    headers.insert(name, value);
                }
            }
            annotate(&mut headers, "10.0.0.1".parse().unwrap(), &host, "http");
            synthesise(&mut headers);
        }
    }
}
