//! One file per delivery service, and the only HTTP client.
