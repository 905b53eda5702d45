//! Certificates, from the order to the answer over TLS. The features are settings of the whole
//! system, which these tests change and set back: they are a program of their own, and run one after
//! the other.

mod tls {
    mod built_in;
    mod cert_manager;
    mod features;
    mod internal;
}
