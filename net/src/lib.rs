//! HTTP parts that the activator and the queue-proxy share. Knows neither kube nor our API types.
//!
//! The way of a request: [`serve`] accepts it, [`probe`] tells whether it is one of ours,
//! [`forwarded`] cleans and annotates its headers, [`breaker`] or the activator's throttle lets it
//! wait, [`timeout`] bounds it, [`forward`] sends it through an [`upstream`], and whatever we have
//! to answer ourselves is a [`refusal`].

pub mod announcement;
pub mod authority;
pub mod body;
pub mod breaker;
pub mod contract;
pub mod forward;
pub mod forwarded;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod load;
pub mod probe;
pub mod refusal;
pub mod request_log;
pub mod resend;
pub mod serve;
pub mod slots;
pub mod stat;
pub mod timeout;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tunnel;
pub mod upstream;
