//! Names and the words of Kubernetes about bad ones.

const LABEL: usize = 63;
const SUBDOMAIN: usize = 253;

const NOT_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NOT_1123: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NOT_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// What is wrong with `name` as a DNS-1035 label; empty if nothing is.
pub(super) fn dns1035(name: &str) -> Vec<String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    found(name, LABEL, starts && is_label(name), NOT_1035)
}

/// What is wrong with `name` as a DNS-1123 label; empty if nothing is.
pub(super) fn dns1123(name: &str) -> Vec<String> {
    found(name, LABEL, is_label(name), NOT_1123)
}

/// What is wrong with `name` as a DNS-1123 subdomain; empty if nothing is.
pub(super) fn subdomain(name: &str) -> Vec<String> {
    found(
        name,
        SUBDOMAIN,
        name.split('.').all(is_label),
        NOT_SUBDOMAIN,
    )
}

/// Whether `name` can be the key of a label or an annotation.
pub(super) fn is_qualified(name: &str) -> bool {
    match name.split_once('/') {
        Some((prefix, name)) => subdomain(prefix).is_empty() && is_name_part(name),
        None => is_name_part(name),
    }
}

/// A list as Go prints it: `[a b]`.
pub(super) fn listed(messages: &[String]) -> String {
    format!("[{}]", messages.join(" "))
}

fn found(name: &str, longest: usize, shaped: bool, words: &str) -> Vec<String> {
    let mut messages = Vec::new();
    if name.len() > longest {
        messages.push(format!("must be no more than {longest} characters"));
    }
    if !shaped {
        messages.push(words.to_owned());
    }
    messages
}

fn is_label(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.bytes().all(|b| plain(b) || b == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}

fn is_name_part(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=LABEL).contains(&name.len())
        && name.bytes().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{dns1035, dns1123, is_qualified, subdomain};

    #[test]
    fn names_follow_their_grammar() {
        for (name, label1035, label1123, domain, qualified) in [
            ("a", true, true, true, true),
            ("a-1", true, true, true, true),
            ("1a", false, true, true, true),
            ("a.b", false, false, true, true),
            ("A", false, false, false, true),
            ("a_b", false, false, false, true),
            ("-a", false, false, false, false),
            ("a-", false, false, false, false),
            ("", false, false, false, false),
            ("a..b", false, false, false, true),
            ("x.io/Name", false, false, false, true),
            ("x.io/", false, false, false, false),
            ("é", false, false, false, false),
        ] {
            assert_eq!(dns1035(name).is_empty(), label1035, "1035 {name}");
            assert_eq!(dns1123(name).is_empty(), label1123, "1123 {name}");
            assert_eq!(subdomain(name).is_empty(), domain, "subdomain {name}");
            assert_eq!(is_qualified(name), qualified, "qualified {name}");
        }
    }

    #[test]
    fn names_have_a_longest_length() {
        assert!(dns1035(&"a".repeat(63)).is_empty());
        assert_eq!(
            dns1035(&"a".repeat(64)),
            ["must be no more than 63 characters"]
        );
    }
}
