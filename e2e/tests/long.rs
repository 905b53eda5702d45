//! What `tests/system` and `tests/faults` tell shortly, for as long as Knative's own tests tell it, and what
//! takes too long for every day. `make e2e-long` runs it: half an hour. Some change settings or numbers of
//! Fermata's own parts, so each runs alone.

mod long {
    mod activators;
    mod autoscalers;
    mod chaos;
    mod demand;
    mod grpc;
    mod hpa;
    mod minimum;
    mod restarts;
    mod rollout;
    mod workload;
}
