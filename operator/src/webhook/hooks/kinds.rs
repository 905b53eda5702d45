//! Mutating and validating webhook configurations, which differ in little more than their names.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ValidatingWebhook,
    ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Resource;

/// Something that holds webhooks.
pub(crate) trait Configuration: Resource<DynamicType = ()> + Clone + PartialEq {
    type Webhook: Webhook;

    fn webhooks(&self) -> &[Self::Webhook];

    fn webhooks_mut(&mut self) -> &mut Vec<Self::Webhook>;
}

/// One webhook: what we depend on.
pub(crate) trait Webhook: Clone {
    fn name(&self) -> &str;

    fn client(&mut self) -> &mut WebhookClientConfig;

    fn rules(&mut self) -> &mut Option<Vec<RuleWithOperations>>;

    fn selectors(&mut self) -> [&mut Option<LabelSelector>; 2];

    /// Whether we are asked again when another webhook changed the object after us.
    fn reinvocation(&mut self) -> Option<&mut Option<String>>;
}

macro_rules! configurations {
    ($($configuration:ident of $webhook:ident, $reinvocation:expr;)*) => {$(
        impl Configuration for $configuration {
            type Webhook = $webhook;

            fn webhooks(&self) -> &[$webhook] {
                self.webhooks.as_deref().unwrap_or_default()
            }

            fn webhooks_mut(&mut self) -> &mut Vec<$webhook> {
                self.webhooks.get_or_insert_default()
            }
        }

        impl Webhook for $webhook {
            fn name(&self) -> &str {
                &self.name
            }

            fn client(&mut self) -> &mut WebhookClientConfig {
                &mut self.client_config
            }

            fn rules(&mut self) -> &mut Option<Vec<RuleWithOperations>> {
                &mut self.rules
            }

            fn selectors(&mut self) -> [&mut Option<LabelSelector>; 2] {
                [&mut self.namespace_selector, &mut self.object_selector]
            }

            fn reinvocation(&mut self) -> Option<&mut Option<String>> {
                let of: fn(&mut Self) -> Option<&mut Option<String>> = $reinvocation;
                of(self)
            }
        }
    )*};
}

configurations! {
    MutatingWebhookConfiguration of MutatingWebhook, |webhook| Some(&mut webhook.reinvocation_policy);
    ValidatingWebhookConfiguration of ValidatingWebhook, |_| None;
}
