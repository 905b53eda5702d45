//! The API of Fermata: types of the five groups, names, conditions, defaulting, validation and
//! settings. Knows no other crate of the workspace and does no IO.

pub mod annotation;
pub mod autoscaling;
pub mod certificate;
pub mod cluster_domain_claim;
pub mod condition;
pub mod config;
pub mod configuration;
pub mod defaulting;
pub mod domain_mapping;
pub mod duration;
pub mod image;
pub mod name;
pub mod networking;
pub mod quantity;
pub mod reference;
pub mod revision;
pub mod route;
pub mod schema;
pub mod service;
pub mod template;
pub mod validation;
