//! What Fermata does on a real cluster. `make e2e` runs it; each test has its own namespace.
//!
//! They are one binary, so that those which wait (for a window, for an image that never comes) do
//! it at the same time. Tests that disturb others are in `faults.rs`.

mod system {
    mod api;
    mod bad_input;
    mod domain_mapping;
    mod explain;
    mod front_door;
    mod hpa;
    mod ingress;
    mod install;
    mod lifecycle;
    mod path;
    mod pods;
    mod revisions;
    mod samples;
    mod scale;
    mod scale_from_zero;
    mod split;
}
