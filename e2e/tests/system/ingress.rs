//! Ingress objects of anybody, on core Services of anybody: every assertion of Knative's conformance
//! suite for ingresses (contract/data-plane 4.3).

mod basics;
mod choice;
mod headers;
mod streams;
mod tls;
mod updates;
mod visibility;
