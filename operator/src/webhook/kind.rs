//! Which rules hold for which kind.

use crds::autoscaling::{Metric, PodAutoscaler};
use crds::certificate::Certificate;
use crds::configuration::Configuration;
use crds::defaulting::{self, DefaultingContext};
use crds::domain_mapping::DomainMapping;
use crds::networking::{Ingress, ServerlessService};
use crds::revision::Revision;
use crds::route::Route;
use crds::service::Service;
use crds::validation::{self, FieldErrors, ValidationContext};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind that is defaulted and validated.
pub(crate) trait Kind: DeserializeOwned + Serialize {
    /// Fills in what the author left out.
    fn fill_in(&mut self, old: Option<&Self>, ctx: &DefaultingContext<'_>);

    /// What is wrong.
    fn faults(&self, old: Option<&Self>, ctx: &ValidationContext<'_>) -> FieldErrors;
}

macro_rules! kinds {
    ($($kind:ident: $fill_in:expr, $faults:expr;)*) => {$(
        impl Kind for $kind {
            fn fill_in(&mut self, old: Option<&Self>, ctx: &DefaultingContext<'_>) {
                let fill_in: fn(&mut Self, Option<&Self>, &DefaultingContext<'_>) = $fill_in;
                fill_in(self, old, ctx);
            }

            fn faults(&self, old: Option<&Self>, ctx: &ValidationContext<'_>) -> FieldErrors {
                let faults: fn(&Self, Option<&Self>, &ValidationContext<'_>) -> FieldErrors =
                    $faults;
                faults(self, old, ctx)
            }
        }
    )*};
}

kinds! {
    Service: defaulting::default_service, validation::validate_service;
    Configuration: defaulting::default_configuration, validation::validate_configuration;
    Revision: defaulting::default_revision, validation::validate_revision;
    Route: defaulting::default_route, validation::validate_route;
    DomainMapping: defaulting::default_domain_mapping, validation::validate_domain_mapping;
    PodAutoscaler:
        |object, _, ctx| defaulting::default_pod_autoscaler(object, ctx),
        |object, _, ctx| validation::validate_pod_autoscaler(object, ctx);
    Metric: |_, _, _| {}, |object, _, ctx| validation::validate_metric(object, ctx);
    Ingress:
        |object, _, _| defaulting::default_ingress(object),
        |object, _, _| validation::validate_ingress(object);
    ServerlessService:
        |_, _, _| {},
        |object, _, _| validation::validate_serverless_service(object);
    Certificate: |_, _, _| {}, |object, _, _| validation::validate_certificate(object);
}
