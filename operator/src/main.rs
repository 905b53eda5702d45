//! The operator: reconcilers (`operator controller`), admission webhooks (`operator webhook`), and
//! the first domain of a fresh install (`operator default-domain`).

mod announcement;
mod args;
mod certificate;
mod child;
mod configuration;
mod context;
mod controller;
mod controllers;
mod default_domain;
mod domain_mapping;
mod ensured;
mod error;
mod finalizer;
mod gateway;
mod gc;
#[cfg(test)]
mod golden;
mod ingress;
mod labeler;
mod namespace_certificate;
mod report;
mod revision;
mod route;
mod serverless_service;
mod service;
mod stores;
#[cfg(test)]
mod testing;
mod unobserved;
mod webhook;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Process};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().process {
        Process::Controller(arguments) => controller::run(arguments).await,
        Process::Webhook(arguments) => webhook::run(arguments).await,
        Process::DefaultDomain(arguments) => default_domain::run(arguments).await,
    }
}
