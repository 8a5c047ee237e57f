//! Asking other servers: connections, health, policies.
