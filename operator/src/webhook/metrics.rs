//! How long admissions take (contract/data-plane 5.1, `kn.webhook.handler.duration`). What is told of
//! an object is what we know of kinds: a question can't invent labels.

use std::time::Duration;

use runtime::metrics::{Families, Label, OldNames, Rows, Source, Times};

use super::review::{Operation, Request, Verdict};

const OTHER: &str = "_OTHER";
const GROUPS: [&str; 4] = [
    "",
    "serving.knative.dev",
    "autoscaling.internal.knative.dev",
    "networking.internal.knative.dev",
];
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];
const KINDS: [&str; 11] = [
    "Certificate",
    "ConfigMap",
    "Configuration",
    "DomainMapping",
    "Ingress",
    "Metric",
    "PodAutoscaler",
    "Revision",
    "Route",
    "ServerlessService",
    "Service",
];
const SUBRESOURCES: [&str; 3] = ["", "status", "scale"];

/// Which webhook was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What the author left out.
    Defaulting,
    /// Whether an object may be written.
    Validation,
    /// Whether settings may be written.
    Settings,
}

/// What tells admissions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    asked: Asked,
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    subresource: &'static str,
    operation: &'static str,
    allowed: bool,
}

/// Admissions by what was asked and answered.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    rows: Rows<Key, Times>,
    /// Whether they have their old names, too.
    pub(crate) old: OldNames,
}

// === impl Admissions ===

impl Admissions {
    /// Counts an answer.
    pub(crate) fn note(&self, asked: Asked, request: &Request, verdict: &Verdict, took: Duration) {
        let key = Key {
            asked,
            group: known(&GROUPS, &request.kind.group),
            version: known(&VERSIONS, &request.kind.version),
            kind: known(&KINDS, &request.kind.kind),
            subresource: known(
                &SUBRESOURCES,
                request.sub_resource.as_deref().unwrap_or_default(),
            ),
            operation: request.operation.label(),
            allowed: matches!(verdict, Verdict::Allowed { .. }),
        };
        let row = self.rows.row(key, Times::default);
        row.observe(took, self.old.shown());
    }
}

impl Source for Admissions {
    fn show(&self, families: &mut Families) {
        for (key, times) in self.rows.all() {
            families.histogram(
                "kn_webhook_handler_duration_seconds",
                "Time that an admission took",
                &key.labels(),
                &times.seconds(),
            );
            if let Some(times) = times.milliseconds().filter(|_| self.old.shown()) {
                let labels = key.old_labels();
                let help = "Admissions";
                families.counter("webhook_request_count", help, &labels, times.count());
                let help = "Time that an admission took, in milliseconds";
                families.histogram("webhook_request_latencies", help, &labels, &times);
            }
        }
    }
}

// === impl Key ===

impl Key {
    fn labels(&self) -> [Label<'static>; 7] {
        let status = if self.allowed { "success" } else { "failed" };
        [
            ("kn_webhook_type", self.asked.label()),
            ("kn_webhook_resource_group", self.group),
            ("kn_webhook_resource_version", self.version),
            ("kn_webhook_resource_kind", self.kind),
            ("kn_webhook_subresource", self.subresource),
            ("kn_webhook_operation_type", self.operation),
            ("kn_webhook_operation_status", status),
        ]
    }

    fn old_labels(&self) -> [Label<'static>; 6] {
        let allowed = if self.allowed { "true" } else { "false" };
        [
            ("webhook_type", self.asked.label()),
            ("kind_group", self.group),
            ("kind_version", self.version),
            ("kind_kind", self.kind),
            ("request_operation", self.operation),
            ("admission_allowed", allowed),
        ]
    }
}

// === impl Asked ===

impl Asked {
    fn label(self) -> &'static str {
        match self {
            Self::Defaulting => "defaulting",
            Self::Validation => "validation",
            Self::Settings => "config_validation",
        }
    }
}

// === impl Operation ===

impl Operation {
    fn label(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Other => OTHER,
        }
    }
}

fn known(names: &[&'static str], name: &str) -> &'static str {
    let mut names = names.iter();
    names
        .find(|known| **known == name)
        .copied()
        .unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::metrics::{Families, Source};

    use super::{Admissions, Asked};
    use crate::webhook::review::{GroupVersionKind, Operation, Request, Verdict};

    fn request(kind: &str) -> Request {
        Request {
            kind: GroupVersionKind {
                group: "serving.knative.dev".to_owned(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
            },
            operation: Operation::Create,
            ..Request::default()
        }
    }

    fn page(admissions: &Admissions) -> String {
        let mut families = Families::default();
        admissions.show(&mut families);
        families.text()
    }

    #[test]
    fn admissions_are_told_apart_by_what_we_know_of_kinds() {
        let admissions = Admissions::default();
        let (allowed, denied) = (Verdict::allowed(), Verdict::denied("no"));
        let took = Duration::from_millis(3);
        admissions.note(Asked::Validation, &request("Service"), &allowed, took);
        admissions.note(Asked::Validation, &request("Invented"), &denied, took);
        let text = page(&admissions);
        for line in [
            "kn_webhook_handler_duration_seconds_count{kn_webhook_operation_status=\"success\",kn_webhook_operation_type=\"CREATE\",kn_webhook_resource_group=\"serving.knative.dev\",kn_webhook_resource_kind=\"Service\",kn_webhook_resource_version=\"v1\",kn_webhook_subresource=\"\",kn_webhook_type=\"validation\"} 1",
            "kn_webhook_operation_status=\"failed\",kn_webhook_operation_type=\"CREATE\",kn_webhook_resource_group=\"serving.knative.dev\",kn_webhook_resource_kind=\"_OTHER\"",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("webhook_request_count"));
    }

    #[test]
    fn old_names_stand_beside_the_current_ones() {
        let admissions = Admissions::default();
        admissions.old.set(true);
        let took = Duration::from_millis(3);
        admissions.note(
            Asked::Defaulting,
            &request("Route"),
            &Verdict::allowed(),
            took,
        );
        let text = page(&admissions);
        let line = "webhook_request_count{admission_allowed=\"true\",kind_group=\"serving.knative.dev\",kind_kind=\"Route\",kind_version=\"v1\",request_operation=\"CREATE\",webhook_type=\"defaulting\"} 1";
        assert!(text.contains(line), "{text}");
    }
}
