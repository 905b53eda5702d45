use super::super::{
    validate_certificate, validate_domain_mapping, validate_ingress, validate_metric,
    validate_pod_autoscaler, validate_serverless_service,
};
use super::{object, with};

fn wrapped(kind: &str, metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v, kind: {kind}, metadata: {{name: a, namespace: ns, {metadata}}}, spec: {{{spec}}}}}"
    )
}

#[test]
fn pod_autoscalers_are_checked() {
    let target = "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}";
    for (metadata, spec, expect) in [
        ("", format!("{target}, protocolType: http1"), ""),
        (
            "",
            format!("{target}, protocolType: h2c, containerConcurrency: 5"),
            "",
        ),
        (
            "",
            format!("{target}, protocolType: spdy"),
            "invalid value: spdy: spec.protocolType",
        ),
        (
            "",
            format!("{target}, protocolType: ''"),
            "missing field(s): spec.protocolType",
        ),
        (
            "",
            format!("{target}, protocolType: h2c, containerConcurrency: -1"),
            "expected 0 <= -1 <= 1000: spec.containerConcurrency",
        ),
        (
            "",
            "scaleTargetRef: {}, protocolType: h2c".to_owned(),
            "missing field(s): spec.scaleTargetRef.apiVersion, spec.scaleTargetRef.kind, spec.scaleTargetRef.name",
        ),
        (
            "annotations: {autoscaling.knative.dev/target: '0'}",
            format!("{target}, protocolType: h2c"),
            "target 0 should be at least 0.01: metadata.annotations.autoscaling.knative.dev/target",
        ),
        (
            "",
            "scaleTargetRef: {}, protocolType: ''".to_owned(),
            "missing field(s): spec",
        ),
        (
            "generateName: a-",
            format!("{target}, protocolType: h2c"),
            "",
        ),
    ] {
        let autoscaler = object(&wrapped("PodAutoscaler", metadata, &spec));
        let errors = with("", |ctx| validate_pod_autoscaler(&autoscaler, ctx));
        assert_eq!(errors.to_string(), expect);
    }
    let metric = object(&wrapped(
        "Metric",
        "",
        "stableWindow: 0, panicWindow: 0, scrapeTarget: ''",
    ));
    assert_eq!(
        with("", |ctx| validate_metric(&metric, ctx)).to_string(),
        "missing field(s): spec"
    );
    let metric = object(&wrapped(
        "Metric",
        "annotations: {autoscaling.knative.dev/window: 1s}",
        "stableWindow: 1, panicWindow: 1, scrapeTarget: x",
    ));
    assert_eq!(
        with("", |ctx| validate_metric(&metric, ctx)).to_string(),
        "expected 6s <= 1s <= 1h0m0s: metadata.annotations.autoscaling.knative.dev/window"
    );
}

const SPLIT: &str = "serviceName: s, serviceNamespace: ns, servicePort: 80";

fn rule(splits: &str) -> String {
    format!("rules: [{{hosts: [h], http: {{paths: [{{splits: [{splits}]}}]}}}}]")
}

fn of_ingress(spec: &str) -> String {
    validate_ingress(&object(&wrapped("Ingress", "", spec))).to_string()
}

#[test]
fn splits_of_an_ingress_are_checked() {
    let (split, path) = (SPLIT, "spec.rules[0].http.paths[0]");
    for (spec, expect) in [
        (rule(&format!("{{{split}, percent: 100}}")), String::new()),
        (rule(""), format!("missing field(s): {path}")),
        (rule(&format!("{{{split}}}")), String::new()),
        (
            rule(&format!(
                "{{{split}, percent: 90}}, {{{split}, percent: 90}}"
            )),
            format!("traffic split percentage must total to 100, but was 180: {path}.splits"),
        ),
        (
            rule(&format!("{{{split}, percent: 90}}")),
            format!("traffic split percentage must total to 100, but was 90: {path}.splits"),
        ),
        (
            rule(&format!(
                "{{{split}, percent: -1}}, {{{split}, percent: 101}}"
            )),
            format!("invalid value: -1: {path}.splits[0].percent"),
        ),
        (
            rule("{serviceName: s, serviceNamespace: other, servicePort: 80, percent: 100}"),
            format!(
                "service namespace must match ingress namespace: {path}.splits[0].serviceNamespace"
            ),
        ),
        (
            rule("{serviceName: '', serviceNamespace: '', servicePort: 0, percent: 100}"),
            format!("missing field(s): {path}.splits[0]"),
        ),
        (
            rule("{serviceName: '', serviceNamespace: '', servicePort: 80}"),
            format!(
                "missing field(s): {path}.splits[0].serviceName, {path}.splits[0].serviceNamespace"
            ),
        ),
        (
            rule("{serviceName: s, serviceNamespace: ns, servicePort: 0}"),
            format!("missing field(s): {path}.splits[0].servicePort"),
        ),
    ] {
        assert_eq!(of_ingress(&spec), expect);
    }
}

#[test]
fn ingresses_have_rules_and_certificates() {
    let split = SPLIT;
    for (spec, expect) in [
        (String::new(), "missing field(s): spec".to_owned()),
        (
            "httpOption: Enabled".to_owned(),
            "missing field(s): spec.rules".to_owned(),
        ),
        (
            "rules: [{http: {paths: []}}]".to_owned(),
            "missing field(s): spec.rules[0].http.paths".to_owned(),
        ),
        (
            "rules: [{hosts: [h]}]".to_owned(),
            "missing field(s): spec.rules[0].http".to_owned(),
        ),
        (
            format!(
                "{}, tls: [{{}}]",
                rule(&format!("{{{split}, percent: 100}}"))
            ),
            "missing field(s): spec.tls[0]".to_owned(),
        ),
        (
            format!(
                "{}, tls: [{{hosts: [h]}}]",
                rule(&format!("{{{split}, percent: 100}}"))
            ),
            "missing field(s): spec.tls[0].secretName, spec.tls[0].secretNamespace".to_owned(),
        ),
    ] {
        assert_eq!(of_ingress(&spec), expect);
    }
}

#[test]
fn serverless_services_and_certificates_are_checked() {
    let reference = "objectRef: {apiVersion: v, kind: K, name: n}";
    for (spec, expect) in [
        (format!("mode: Proxy, {reference}, protocolType: http1"), ""),
        (
            format!("{reference}, protocolType: http1"),
            "missing field(s): spec.mode",
        ),
        (
            format!("mode: Serve, {reference}, protocolType: x"),
            "invalid value: x: spec.protocolType",
        ),
        (
            format!("mode: Serve, {reference}, protocolType: h2c, numActivators: -1"),
            "invalid value: -1: spec.numActivators",
        ),
        (
            "mode: Serve, objectRef: {kind: K}, protocolType: h2c".to_owned(),
            "missing field(s): spec.objectRef.apiVersion, spec.objectRef.name",
        ),
        (
            "objectRef: {}, protocolType: ''".to_owned(),
            "missing field(s): spec",
        ),
    ] {
        let errors = validate_serverless_service(&object(&wrapped("ServerlessService", "", &spec)));
        assert_eq!(errors.to_string(), expect);
    }
    let bad = "objectRef: {apiVersion: /v, kind: 1k, name: a.b}, mode: Serve, protocolType: h2c";
    let sks = object(&wrapped(
        "ServerlessService",
        "annotations: {networking.knative.dev/x: y}",
        bad,
    ));
    let text = validate_serverless_service(&sks).to_string();
    for part in [
        "invalid key name \"networking.knative.dev/x\": annotations\n",
        "invalid value: prefix part must be non-empty: spec.objectRef.apiVersion",
        "invalid value: a valid C identifier must start",
        "invalid value: must not contain dots: spec.objectRef.name",
    ] {
        assert!(text.contains(part), "{text}");
    }
    for (spec, expect) in [
        ("dnsNames: [a.b], secretName: s", ""),
        ("dnsNames: [a.b], secretName: s, domain: b", ""),
        ("dnsNames: [a.b], secretName: s, domain: a.b", ""),
        (
            "dnsNames: [a.b], secretName: s, domain: c",
            "invalid value: domain: spec.domain must be a suffix of, or match exactly, at least one entry in dnsNames",
        ),
        (
            "dnsNames: [], secretName: ''",
            "missing field(s): spec.dnsNames, spec.secretName",
        ),
        (
            "dnsNames: [a, ''], secretName: s",
            "invalid value: : spec.dnsNames[1]",
        ),
    ] {
        let errors = validate_certificate(&object(&wrapped("Certificate", "", spec)));
        assert_eq!(errors.to_string(), expect);
    }
}

fn of_mapping(metadata: &str, spec: &str) -> String {
    let mapping = object(&format!(
        "{{apiVersion: v, kind: DomainMapping, metadata: {{namespace: ns, {metadata}}}, spec: {{{spec}}}}}"
    ));
    with("", |ctx| validate_domain_mapping(&mapping, None, ctx))
        .errors()
        .to_string()
}

#[test]
fn domain_mappings_have_a_domain_for_a_name() {
    let good = "ref: {name: s, kind: Service, apiVersion: v, namespace: ns}";
    assert_eq!(of_mapping("name: a.example.com", good), "");
    for (metadata, starts) in [
        (
            "name: a",
            "invalid name \"a\": name: Invalid value: \"a\": should be a domain",
        ),
        (
            "name: A.b",
            "invalid name \"A.b\": name: Invalid value: \"A.b\": a lowercase RFC 1123",
        ),
        (
            "name: a.b.cluster.local",
            "invalid name \"a.b.cluster.local\": must not be a subdomain of cluster local domain \"cluster.local\": metadata.name",
        ),
        (
            "name: ''",
            "invalid name \"\": name: Required value: metadata.name",
        ),
        (
            "name: a.b, generateName: x",
            "must not set the field(s): metadata.generateName",
        ),
        (
            "name: A.cluster.local",
            "invalid name \"A.cluster.local\": must not be a subdomain of cluster local domain \"cluster.local\": metadata.name\ninvalid name \"A.cluster.local\": name: Invalid value: \"A.cluster.local\": a lowercase",
        ),
    ] {
        let text = of_mapping(metadata, good);
        assert!(text.starts_with(starts), "{metadata}: {text}");
    }
}

#[test]
fn domain_mappings_lead_somewhere_in_their_namespace() {
    for (spec, expect) in [
        (
            "",
            "missing field(s): spec.ref.apiVersion, spec.ref.kind, spec.ref.name",
        ),
        (
            "ref: {name: s, kind: K, namespace: ns}",
            "missing field(s): spec.ref.apiVersion",
        ),
        (
            "ref: {name: s, kind: K, apiVersion: v, namespace: b}",
            "mismatched namespaces: spec.ref.namespace\nparent namespace: \"ns\" does not match ref: \"b\"",
        ),
        (
            "ref: {name: s, kind: K, apiVersion: v, group: g, namespace: ns}",
            "must not set the field(s): spec.ref.group",
        ),
        (
            "ref: {name: s, kind: K, apiVersion: v, address: x, namespace: ns}",
            "",
        ),
        (
            "ref: {name: s, kind: K, apiVersion: v, namespace: ns}, tls: {}",
            "",
        ),
        (
            "ref: {name: s, kind: K, apiVersion: v, namespace: ns}, tls: {secretName: x}",
            "",
        ),
    ] {
        assert_eq!(of_mapping("name: a.b", spec), expect, "{spec}");
    }
}
