use super::super::{DomainType, HttpProtocol, MeshCompatibility, name};
use super::{check_faults, data, fault, settings};

#[test]
fn older_spellings_are_read_and_newer_ones_win() {
    let old = settings(
        name::NETWORK,
        &[
            ("ingress.class", " old "),
            ("autoTLS", "Enabled"),
            ("unknown", "key"),
        ],
    );
    assert_eq!(old.network.ingress_class, "old");
    assert!(old.network.external_domain_tls);
    let both = settings(
        name::NETWORK,
        &[("ingress.class", "old"), ("ingress-class", "new")],
    );
    assert_eq!(both.network.ingress_class, "new");
    let templates = [
        ("domainTemplate", "{{.Broken"),
        ("domain-template", "{{.Name}}.{{.Domain}}"),
    ];
    assert_eq!(fault(name::NETWORK, &templates), "");
}

#[test]
fn certificates_are_on_where_the_newest_key_says_enabled() {
    for (pairs, expect) in [
        (&[("external-domain-tls", "enabled")][..], true),
        (&[("external-domain-tls", "true")], false),
        (&[("auto-tls", "Enabled"), ("autoTLS", "Disabled")], true),
        (
            &[("external-domain-tls", "Disabled"), ("auto-tls", "Enabled")],
            false,
        ),
        (
            &[("external-domain-tls", "x"), ("auto-tls", "Enabled")],
            false,
        ),
    ] {
        let read = settings(name::NETWORK, pairs);
        assert_eq!(read.network.external_domain_tls, expect, "{pairs:?}");
    }
    for (pairs, expect) in [
        (&[("system-internal-tls", "Enabled")][..], true),
        (&[("internal-encryption", "true")], true),
        (
            &[
                ("internal-encryption", "true"),
                ("system-internal-tls", "Disabled"),
            ],
            true,
        ),
        (&[("system-internal-tls", "")], false),
    ] {
        let read = settings(name::NETWORK, pairs);
        assert_eq!(read.network.system_internal_tls, expect, "{pairs:?}");
    }
}

#[test]
fn switches_of_the_network_are_read_in_any_case() {
    let read = settings(
        name::NETWORK,
        &[
            ("http-protocol", "redirected"),
            ("mesh-compatibility-mode", "ENABLED"),
            ("cluster-local-domain-tls", "ENABLED"),
            ("rollout-duration", "60"),
        ],
    )
    .network;
    assert_eq!(read.http_protocol, HttpProtocol::Redirected);
    assert_eq!(read.mesh_compatibility_mode, MeshCompatibility::Enabled);
    assert!(read.cluster_local_domain_tls);
    assert_eq!(read.rollout_duration.as_secs(), 60);
    let unsupported =
        |key: &str| format!("{key} with value: \"x\" in config-network ConfigMap is not supported");
    for key in [
        "http-protocol",
        "system-internal-tls",
        "cluster-local-domain-tls",
    ] {
        assert_eq!(fault(name::NETWORK, &[(key, "x")]), unsupported(key));
    }
    let negative = fault(name::NETWORK, &[("rollout-duration", "-1")]);
    assert_eq!(
        negative,
        "rollout-duration must be a positive integer, but was -1"
    );
    assert!(!fault(name::NETWORK, &[("rollout-duration", "10s")]).is_empty());
}

#[test]
fn templates_of_hosts_are_tried_out() {
    for template in [
        "{{.Name}}.{{.Namespace}}.{{.Domain}}",
        " {{.Name}}-{{.Namespace}}.{{.Domain}} ",
        "{{.Name}}.{{index .Annotations \"sub\"}}.{{.Domain}}",
        "{{if eq .Namespace \"default\"}}{{.Name}}{{else}}{{.Name}}-x{{end}}.{{.Domain}}",
    ] {
        assert_eq!(fault(name::NETWORK, &[("domain-template", template)]), "");
    }
    check_faults(
        name::NETWORK,
        &[
            (
                &[("domain-template", "")],
                "failed to parse \"domain-template\": makes an empty host of a Route without labels and annotations",
            ),
            (
                &[("domain-template", "{{.Name}}/{{.Domain}}")],
                "failed to parse \"domain-template\": makes \"foo/baz.com\" of a Route, which is not a host",
            ),
            (
                &[("domain-template", "{{.Name}}.{{.Labels.sub}}.{{.Domain}}")],
                "failed to parse \"domain-template\": makes \"foo.<no value>.baz.com\" of a Route, which is not a host",
            ),
            (
                &[("domain-template", "{{if true}}\n{{.Name}}\n{{end}}")],
                "failed to parse \"domain-template\": makes \"\\nfoo\\n\" of a Route, which is not a host",
            ),
            (
                &[("domain-template", "{{.Nme}}")],
                "failed to parse \"domain-template\": unknown field .Nme: there are .Domain, .Name, .Namespace, .Annotations, .Labels",
            ),
            (
                &[("domain-template", "{{if .Name}}")],
                "failed to parse \"domain-template\": unexpected EOF: an {{end}} is missing",
            ),
            (
                &[("tag-template", "{{.Namespace}}")],
                "failed to parse \"tag-template\": unknown field .Namespace: there are .Name, .Tag",
            ),
            (
                &[("tag-template", "{{.Tag")],
                "failed to parse \"tag-template\": unclosed action",
            ),
        ],
    );
}

#[test]
fn selectors_of_namespaces_are_read_as_kubernetes_reads_them() {
    let key = "namespace-wildcard-cert-selector";
    for text in ["", " ", "null"] {
        let read = settings(name::NETWORK, &[(key, text)]);
        assert_eq!(read.network.namespace_wildcard_cert_selector, None);
    }
    let text = "matchlabels: {a: 1}\nmatchExpressions: [{key: b, operator: In, values: [true, c]}]";
    let read = settings(name::NETWORK, &[(key, text)]);
    let selector = read.network.namespace_wildcard_cert_selector.unwrap();
    assert_eq!(selector.match_labels, Some(data(&[("a", "1")])));
    let requirement = &selector.match_expressions.unwrap()[0];
    assert_eq!(
        (requirement.key.as_str(), requirement.operator.as_str()),
        ("b", "In")
    );
    assert_eq!(
        requirement.values,
        Some(vec!["true".to_owned(), "c".to_owned()])
    );
    for text in [
        "x",
        "[",
        "matchLabels: [a]",
        "matchExpressions: {key: a}",
        "matchExpressions: [{key: a, operator: Is}]",
    ] {
        assert!(!fault(name::NETWORK, &[(key, text)]).is_empty(), "{text}");
    }
}

#[test]
fn the_domain_with_the_most_labels_wins() {
    let read = settings(
        name::DOMAIN,
        &[
            ("b.com", ""),
            ("a.com", "# for all"),
            ("x.com", "selector: {app: shop}"),
            ("y.com", "Selector: {app: shop, tier: gold}\ntype: wildcard"),
            ("port.com", "selector: {port: 8080}"),
        ],
    );
    for (labels, domain) in [
        (&[][..], "a.com"),
        (&[("app", "shop")], "x.com"),
        (&[("app", "shop"), ("tier", "gold")], "y.com"),
        (&[("app", "other")], "a.com"),
        (&[("port", "8080")], "port.com"),
    ] {
        assert_eq!(read.domain.domain_for(&data(labels)), Some(domain));
    }
    assert_eq!(read.domain.domains["y.com"].type_, DomainType::Wildcard);
    assert_eq!(read.domain.domains["x.com"].type_, DomainType::Plain);
    let selective = settings(name::DOMAIN, &[("x.com", "selector: {a: b}")]);
    assert_eq!(selective.domain.domain_for(&data(&[])), None);
}

#[test]
fn domains_that_can_not_be_read_are_named() {
    check_faults(
        name::DOMAIN,
        &[
            (
                &[("a.com", "x")],
                "failed to parse \"a.com\": a mapping is needed here",
            ),
            (
                &[("a.com", "selector: [a]")],
                "failed to parse \"a.com\": a mapping is needed here",
            ),
            (
                &[("a.com", "selector: {a: [b]}")],
                "failed to parse \"a.com\": a text is needed here",
            ),
            (
                &[("a.com", "type: [b]")],
                "failed to parse \"a.com\": a text is needed here",
            ),
            (&[("_example", "[")], ""),
        ],
    );
}
