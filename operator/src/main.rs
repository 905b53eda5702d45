//! The operator: reconcilers (`operator controller`) and admission webhooks (`operator webhook`).

mod args;
mod child;
mod configuration;
mod context;
mod controller;
mod controllers;
mod ensured;
mod error;
mod gc;
#[cfg(test)]
mod golden;
mod ingress;
mod labeler;
mod revision;
mod route;
mod serverless_service;
mod service;
mod stores;
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
    }
}
