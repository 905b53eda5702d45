use super::super::name;
use super::{Case, check_faults, fault, settings};

const LIMITS_OF_THE_AUTOSCALER: &[Case<'_>] = &[
    (&[("stable-window", "6s")], ""),
    (&[("stable-window", "1h")], ""),
    (
        &[("stable-window", "5s")],
        "stable-window = 5s, must be in [6s; 1h0m0s] range",
    ),
    (
        &[("stable-window", "3601s")],
        "stable-window = 1h0m1s, must be in [6s; 1h0m0s] range",
    ),
    (
        &[("stable-window", "6500ms")],
        "stable-window = 6.5s, must be specified with at most second precision",
    ),
    (
        &[("stable-window", "90")],
        "failed to parse \"stable-window\": invalid duration \"90\": it has no unit, as in 90s",
    ),
    (
        &[("stable-window", "1d")],
        "failed to parse \"stable-window\": invalid duration \"1d\": one is written like 500ms, 90s or 1h30m",
    ),
    (
        &[("scale-down-delay", "-1s")],
        "scale-down-delay cannot be negative, was: -1s",
    ),
    (
        &[("scale-down-delay", "1500ms")],
        "scale-down-delay must be specified with at most second precision, was: 1.5s",
    ),
    (
        &[("scale-to-zero-grace-period", "0s")],
        "scale-to-zero-grace-period must be positive, was: 0s",
    ),
    (
        &[("scale-to-zero-grace-period", "-1s")],
        "scale-to-zero-grace-period must be positive, was: -1s",
    ),
    (
        &[("scale-to-zero-pod-retention-period", "-1s")],
        "scale-to-zero-pod-retention-period cannot be negative, was: -1s",
    ),
    (
        &[("max-scale-up-rate", "1")],
        "max-scale-up-rate = 1, must be greater than 1.0",
    ),
    (
        &[("max-scale-down-rate", "1.0")],
        "max-scale-down-rate = 1, must be greater than 1.0",
    ),
    (&[("target-burst-capacity", "-1")], ""),
    (
        &[("target-burst-capacity", "-2")],
        "target-burst-capacity must be either non-negative or -1 (for unlimited), was: -2",
    ),
    (
        &[("activator-capacity", "0.5")],
        "activator-capacity = 0.5, must be at least 1",
    ),
    (
        &[("panic-window-percentage", "0.5")],
        "panic-window-percentage = 0.5, must be in [1, 100] interval",
    ),
    (&[("panic-threshold-percentage", "1")], ""),
    (
        &[("panic-threshold-percentage", "0")],
        "panic-threshold-percentage = 0, must be positive",
    ),
    (
        &[("container-concurrency-target-percentage", "0")],
        "container-concurrency-target-percentage = 0 is outside of valid range of (0, 100]",
    ),
    (
        &[("container-concurrency-target-percentage", "101")],
        "container-concurrency-target-percentage = 101 is outside of valid range of (0, 100]",
    ),
    (
        &[("container-concurrency-target-default", "0.01")],
        "container-concurrency-target-percentage and container-concurrency-target-default yield target concurrency of 0.006999999999999999, can't be less than 0.01",
    ),
    (&[("requests-per-second-target-default", "0.01")], ""),
    (
        &[("requests-per-second-target-default", "0.009")],
        "requests-per-second-target-default must be at least 0.01, was: 0.009",
    ),
];

#[test]
fn numbers_of_the_autoscaler_have_limits() {
    check_faults(name::AUTOSCALER, LIMITS_OF_THE_AUTOSCALER);
}

#[test]
fn scales_fit_together() {
    check_faults(
        name::AUTOSCALER,
        &[
            (
                &[("initial-scale", "0")],
                "initial-scale = 0, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)",
            ),
            (
                &[("initial-scale", "0"), ("allow-zero-initial-scale", "true")],
                "",
            ),
            (&[("min-scale", "-1")], "min-scale = -1, must be at least 0"),
            (
                &[("min-scale", "3"), ("max-scale", "2")],
                "min-scale (3) must be less than max-scale (2)",
            ),
            (&[("min-scale", "3"), ("max-scale", "3")], ""),
            (&[("min-scale", "3")], ""),
            (
                &[("max-scale", "-1")],
                "max-scale = -1, must be in [0, max-scale-limit(0)] range",
            ),
            (
                &[("max-scale-limit", "5")],
                "max-scale = 0, must be in [1, max-scale-limit(5)] range",
            ),
            (
                &[("max-scale-limit", "5"), ("max-scale", "6")],
                "max-scale = 6, must be in [1, max-scale-limit(5)] range",
            ),
            (&[("max-scale-limit", "5"), ("max-scale", "5")], ""),
            (
                &[("max-scale-limit", "-1")],
                "max-scale-limit = -1, must be at least 0",
            ),
        ],
    );
}

#[test]
fn values_are_what_they_say() {
    let key = |text: &'static str| [("enable-scale-to-zero", text)];
    for text in [
        "1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False",
    ] {
        assert_eq!(fault(name::AUTOSCALER, &key(text)), "");
    }
    check_faults(
        name::AUTOSCALER,
        &[
            (
                &key("yes"),
                "failed to parse \"enable-scale-to-zero\": \"yes\" is neither true nor false",
            ),
            (
                &key(" true"),
                "failed to parse \"enable-scale-to-zero\": \" true\" is neither true nor false",
            ),
            (
                &[("min-scale", "")],
                "failed to parse \"min-scale\": \"\" is not a whole number",
            ),
            (
                &[("min-scale", "1.0")],
                "failed to parse \"min-scale\": \"1.0\" is not a whole number",
            ),
            (
                &[("min-scale", "2147483648")],
                "failed to parse \"min-scale\": 2147483648 is out of range",
            ),
            (&[("activator-capacity", "1e3")], ""),
            (
                &[("activator-capacity", "1e400")],
                "failed to parse \"activator-capacity\": \"1e400\" is not a number",
            ),
            // Comparisons with these say nothing.
            (
                &[("activator-capacity", "NaN")],
                "failed to parse \"activator-capacity\": \"NaN\" is not a number",
            ),
            (
                &[("max-scale-up-rate", "inf")],
                "failed to parse \"max-scale-up-rate\": \"inf\" is not a number",
            ),
        ],
    );
}

#[test]
fn fractions_are_percentages() {
    for (text, percentage) in [("0.5", 50.0), ("1.0", 100.0), ("1.01", 1.01), ("70", 70.0)] {
        let read = settings(
            name::AUTOSCALER,
            &[("container-concurrency-target-percentage", text)],
        );
        let seen = read.autoscaler.container_concurrency_target_percentage;
        assert_eq!(seen, percentage, "{text}");
    }
}
