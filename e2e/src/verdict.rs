//! What objects say of themselves in their conditions.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::Result;
use crds::condition::{Condition, Truth, find};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::namespace::Space;
use crate::wait::{Seen, until};

/// What kinds must be to be asked here.
pub trait Judged:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
{
}

impl<K> Judged for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

impl Space {
    /// Waits until the condition `of` of an object is True or False, at its newest generation.
    pub async fn verdict<K: Judged>(&self, name: &str, of: &str, limit: Duration) -> Result<Truth> {
        let what = format!("a verdict of {} {name}: {of}", K::kind(&()));
        until(&what, limit, async || {
            let object = self.api::<K>().get(name).await?;
            Ok(match truth(&object, of)? {
                Truth::Unknown(reason, message) => Seen::NotYet(format!("{reason}: {message}")),
                known => Seen::Done(known),
            })
        })
        .await
    }

    /// Waits until `seen` holds for an object.
    pub async fn shows<K: Judged>(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        seen: impl Fn(&K) -> bool,
    ) -> Result<K> {
        until(
            &format!("{} {name}: {what}", K::kind(&())),
            limit,
            async || {
                let object = self.api::<K>().get(name).await?;
                if seen(&object) {
                    return Ok(Seen::Done(object));
                }
                Ok(Seen::NotYet(serde_json::to_string(&object)?))
            },
        )
        .await
    }
}

/// The condition `of` of an object; Unknown while its status is of an older generation.
pub fn truth<K: Judged>(object: &K, of: &str) -> Result<Truth> {
    let status = serde_json::to_value(object)?["status"].take();
    let observed = status["observedGeneration"].as_i64();
    if observed != object.meta().generation {
        let name = object.name_any();
        return Ok(Truth::unknown(
            "Outdated",
            format!("{name} was observed at {observed:?}"),
        ));
    }
    let conditions: Vec<Condition> = match status["conditions"].clone() {
        Value::Null => Vec::new(),
        conditions => serde_json::from_value(conditions)?,
    };
    Ok(Truth::of(find(&conditions, of)))
}
