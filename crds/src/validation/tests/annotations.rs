use super::{check, refusals, service};

/// What is wrong with annotations of the template, without the path to them.
fn faults(settings: &str, annotations: &str) -> String {
    let service = service(&format!(
        "spec: {{template: {{metadata: {{annotations: {{{annotations}}}}}, spec: {{containers: [{{image: a/b}}]}}}}, traffic: [{{percent: 100}}]}}"
    ));
    let text = refusals(&service, settings).errors().to_string();
    text.replace("spec.template.metadata.annotations.", "")
        .replace("spec.template.metadata.annotations", "@")
}

/// The same for autoscaling annotations, without their prefix.
fn autoscaling(settings: &str, pairs: &str) -> String {
    let annotations: Vec<String> = pairs
        .split(", ")
        .map(|pair| format!("autoscaling.knative.dev/{pair}"))
        .collect();
    faults(settings, &annotations.join(", ")).replace("autoscaling.knative.dev/", "")
}

#[test]
fn classes_and_metrics_fit_each_other() {
    check(
        &[
            ("", "class: kpa.autoscaling.knative.dev", ""),
            ("", "class: hpa.autoscaling.knative.dev", ""),
            ("", "class: other.example.com", ""),
            (
                "",
                "class: other.knative.dev",
                "invalid value: other.knative.dev: class",
            ),
            ("", "metric: concurrency", ""),
            ("", "metric: rps", ""),
            ("", "metric: cpu", "invalid value: cpu: metric"),
            ("", "class: hpa.autoscaling.knative.dev, metric: cpu", ""),
            ("", "class: hpa.autoscaling.knative.dev, metric: my-own", ""),
            (
                "",
                "class: hpa.autoscaling.knative.dev, metric: ''",
                "invalid value: : metric",
            ),
            ("", "class: x.example.com, metric: anything", ""),
            (
                "pod-autoscaler-class: hpa.autoscaling.knative.dev",
                "metric: memory",
                "",
            ),
            ("", "metric-aggregation-algorithm: linear", ""),
            ("", "metric-aggregation-algorithm: weighted-exponential", ""),
            ("", "metricAggregationAlgorithm: weightedExponential", ""),
            ("", "metric-aggregation-algorithm: none", ""),
            (
                "",
                "class: kpa.autoscaling.knative.dev, metric-aggregation-algorithm: none",
                "invalid value: none: metric-aggregation-algorithm",
            ),
            (
                "",
                "class: kpa.autoscaling.knative.dev, metric-aggregation-algorithm: ''",
                "",
            ),
        ],
        autoscaling,
    );
}

const SCALES: &[(&str, &str, &str)] = &[
    ("", "min-scale: '0', max-scale: '0'", ""),
    ("", "min-scale: '2', max-scale: '2'", ""),
    ("", "min-scale: '5'", ""),
    (
        "",
        "min-scale: '-1'",
        "expected 0 <= -1 <= 2147483647: min-scale",
    ),
    (
        "",
        "minScale: '-1'",
        "expected 0 <= -1 <= 2147483647: minScale",
    ),
    (
        "",
        "max-scale: '2147483648'",
        "expected 0 <= 2147483648 <= 2147483647: max-scale",
    ),
    ("", "min-scale: few", "invalid value: few: min-scale"),
    ("", "min-scale: '+1'", ""),
    (
        "",
        "min-scale: '99999999999999999999'",
        "expected 0 <= 99999999999999999999 <= 2147483647: min-scale",
    ),
    (
        "max-scale-limit: '10', max-scale: '5'",
        "max-scale: many",
        "invalid value: many: max-scale\nmax-scale=0 (unlimited), must be less than 10: max-scale",
    ),
    ("", "max-scale: '1.5'", "invalid value: 1.5: max-scale"),
    (
        "",
        "min-scale: '3', max-scale: '2'",
        "max-scale=2 is less than min-scale=3: max-scale, min-scale",
    ),
    (
        "max-scale-limit: '10', max-scale: '5'",
        "max-scale: '10'",
        "",
    ),
    (
        "max-scale-limit: '10', max-scale: '5'",
        "min-scale: '1'",
        "",
    ),
    (
        "max-scale-limit: '10', max-scale: '5'",
        "max-scale: '11'",
        "expected 1 <= 11 <= 10: max-scale",
    ),
    (
        "max-scale-limit: '10', max-scale: '5'",
        "max-scale: '0'",
        "max-scale=0 (unlimited), must be less than 10: max-scale",
    ),
    ("", "initial-scale: '3'", ""),
    ("", "initial-scale: '3000000000'", ""),
    (
        "",
        "initial-scale: '0'",
        "invalid value: 0: initial-scale=0 not allowed by cluster",
    ),
    ("allow-zero-initial-scale: 'true'", "initial-scale: '0'", ""),
    (
        "",
        "initial-scale: '-1'",
        "invalid value: -1: initial-scale must be greater than 0",
    ),
    (
        "",
        "initial-scale: one",
        "invalid value: one: initial-scale",
    ),
    ("", "activation-scale: '2'", ""),
    ("", "activationScale: '1'", ""),
    (
        "",
        "activation-scale: '1', min-scale: '3'",
        "min-scale=3 is greater than activation-scale=1: activation-scale",
    ),
    (
        "",
        "activation-scale: '1'",
        "activation-scale=1 must be greater than 1: activation-scale",
    ),
    (
        "",
        "activation-scale: x",
        "invalid value: x: activation-scale",
    ),
    (
        "",
        "activation-scale: '2', min-scale: '3'",
        "min-scale=3 is greater than activation-scale=2: activation-scale",
    ),
    (
        "",
        "activation-scale: '5', max-scale: '4'",
        "max-scale=4 is less than activation-scale=5: activation-scale",
    ),
    (
        "",
        "activation-scale: '5', min-scale: '3', max-scale: '9'",
        "",
    ),
];

#[test]
fn scales_are_whole_numbers_in_order() {
    check(SCALES, autoscaling);
}

#[test]
fn targets_and_percentages_have_bounds() {
    check(
        &[
            ("", "target: '0.01'", ""),
            (
                "",
                "target: '0'",
                "target 0 should be at least 0.01: target",
            ),
            (
                "",
                "target: '-1'",
                "target -1 should be at least 0.01: target",
            ),
            ("", "target: much", "invalid value: much: target"),
            ("", "target: NaN, target-burst-capacity: NaN", ""),
            ("", "target: -NaN", "invalid value: -NaN: target"),
            ("", "target: inf", ""),
            ("", "target: 1e400", "invalid value: 1e400: target"),
            ("", "target: ' 1'", "invalid value:  1: target"),
            ("", "target-utilization-percentage: '1'", ""),
            (
                "",
                "target-utilization-percentage: '0'",
                "expected 1 <= 0 <= 100: target-utilization-percentage",
            ),
            (
                "",
                "targetUtilizationPercentage: '101'",
                "expected 1 <= 101 <= 100: targetUtilizationPercentage",
            ),
            ("", "target-burst-capacity: '-1'", ""),
            ("", "target-burst-capacity: '0'", ""),
            (
                "",
                "target-burst-capacity: '-2'",
                "invalid value: -2: target-burst-capacity",
            ),
            (
                "",
                "target-burst-capacity: '-0.5'",
                "invalid value: -0.5: target-burst-capacity",
            ),
            ("", "panic-window-percentage: '10'", ""),
            (
                "",
                "panic-window-percentage: '0.5'",
                "expected 1 <= 0.5 <= 100: panic-window-percentage",
            ),
            ("", "panic-threshold-percentage: '110'", ""),
            (
                "",
                "panic-threshold-percentage: '109'",
                "expected 110 <= 109 <= 1000: panic-threshold-percentage",
            ),
            (
                "",
                "panic-threshold-percentage: '1001'",
                "expected 110 <= 1001 <= 1000: panic-threshold-percentage",
            ),
        ],
        autoscaling,
    );
}

#[test]
fn durations_have_bounds_and_whole_seconds() {
    check(
        &[
            ("", "window: 6s", ""),
            ("", "window: 1h", ""),
            ("", "window: 5s", "expected 6s <= 5s <= 1h0m0s: window"),
            ("", "window: 61m", "expected 6s <= 61m <= 1h0m0s: window"),
            (
                "",
                "window: 6500ms",
                "must be specified with at most second precision: window",
            ),
            ("", "window: soon", "invalid value: soon: window"),
            ("", "window: ''", "invalid value: : window"),
            ("", "window: 6.0000000001s", ""),
            ("", "scale-down-delay: 0s", ""),
            ("", "scale-down-delay: 15m", ""),
            (
                "",
                "scale-down-delay: -1s",
                "expected 0s <= -1s <= 1h0m0s: scale-down-delay",
            ),
            (
                "",
                "scale-down-delay: 1500ms",
                "must be specified with at most second precision: scale-down-delay",
            ),
            ("", "scale-to-zero-pod-retention-period: 1500ms", ""),
            (
                "",
                "scale-to-zero-pod-retention-period: 2h",
                "expected 0s <= 2h <= 1h0m0s: scale-to-zero-pod-retention-period",
            ),
            (
                "",
                "scaleToZeroPodRetentionPeriod: x",
                "invalid value: x: scaleToZeroPodRetentionPeriod",
            ),
        ],
        autoscaling,
    );
}

#[test]
fn other_annotations_of_a_template_are_checked() {
    let sidecar = "queue.sidecar.serving.knative.dev";
    check(
        &[
            ("", "serving.knative.dev/progress-deadline: 90s", ""),
            (
                "",
                "serving.knative.dev/progress-deadline: x",
                "invalid value: x: serving.knative.dev/progress-deadline",
            ),
            (
                "",
                "serving.knative.dev/progress-deadline: 1500ms",
                "progress-deadline=1500ms is not at second precision: serving.knative.dev/progress-deadline",
            ),
            (
                "",
                "serving.knative.dev/progress-deadline: -1s",
                "progress-deadline=-1s must be positive: serving.knative.dev/progress-deadline",
            ),
            ("", "serving.knative.dev/progress-deadline: 0s", ""),
            ("", "serving.knative.dev/progress-deadline: ''", ""),
            ("", "serving.knative.dev/progressDeadline: x", ""),
            ("", &format!("{sidecar}/cpu-resource-request: 25m"), ""),
            (
                "",
                &format!("{sidecar}/cpu-resource-limit: x"),
                &format!("invalid value: x: [{sidecar}/cpu-resource-limit]"),
            ),
            (
                "",
                &format!("{sidecar}/memory-resource-request: x"),
                &format!("invalid value: x: [{sidecar}/memory-resource-request]"),
            ),
            (
                "",
                &format!("{sidecar}/ephemeral-storage-resource-limit: x"),
                &format!("invalid value: x: [{sidecar}/ephemeral-storage-resource-limit]"),
            ),
            ("", &format!("{sidecar}/resource-percentage: '20'"), ""),
            (
                "",
                &format!("{sidecar}/resource-percentage: '0.01'"),
                &format!("expected 0.1 <= 0.01 <= 100: [{sidecar}/resource-percentage]"),
            ),
            (
                "",
                &format!("{sidecar}/resourcePercentage: x"),
                &format!("invalid value: x: [{sidecar}/resourcePercentage]"),
            ),
            ("", "networking.knative.dev/ingress.class: x", ""),
            (
                "",
                "networking.knative.dev/disable-external-domain-tls: 'true'",
                "",
            ),
            (
                "",
                "networking.knative.dev/foo: x",
                "invalid key name \"networking.knative.dev/foo\": @",
            ),
            (
                "",
                "networking.knative.devious/foo: x",
                "invalid key name \"networking.knative.devious/foo\": @",
            ),
            ("", "features.knative.dev/http-full-duplex: Enabled", ""),
            ("", "client.knative.dev/user-image: a/b, 'a b': c", ""),
        ],
        faults,
    );
}

#[test]
fn the_share_of_the_sidecar_is_warned_of() {
    let key = "queue.sidecar.serving.knative.dev/resource-percentage";
    let service = service(&format!(
        "spec: {{template: {{metadata: {{annotations: {{{key}: '20'}}}}, spec: {{containers: [{{image: a/b}}]}}}}, traffic: [{{percent: 100}}]}}"
    ));
    let warnings = refusals(&service, "").warnings();
    let words = "Queue proxy resource percentage annotation is deprecated. Please use the available annotations to explicitly set resource values per service: ";
    assert!(
        warnings.iter().any(|warning| warning == words),
        "{warnings:?}"
    );
}
