//! The order in which the plugins of a block are asked.

use crate::directive::{Entry, entry};

/// Every directive, in the order in which a question meets them. The Corefile picks which of them
/// run, never their order. It is CoreDNS's order, on which configurations rely: answers out of the
/// cache are still shuffled and rewritten, access rules see the rewritten name.
pub const ORDER: &[Entry] = &[
    entry::<crate::root::Root>(),
    entry::<crate::metadata::Metadata>(),
    entry::<crate::reload::Reload>(),
    entry::<crate::nsid::Nsid>(),
    entry::<crate::bind::Bind>(),
    entry::<crate::debug::Debug>(),
    entry::<crate::ready::Ready>(),
    entry::<crate::health::Health>(),
    entry::<crate::prometheus::Prometheus>(),
    entry::<crate::rutter_admin::RutterAdmin>(),
    entry::<crate::errors::Errors>(),
    entry::<crate::log::Log>(),
    entry::<crate::local::Local>(),
    entry::<crate::any::Any>(),
    entry::<crate::chaos::Chaos>(),
    entry::<crate::loadbalance::LoadBalance>(),
    entry::<crate::rewrite::Rewrite>(),
    entry::<crate::autopath::AutoPath>(),
    entry::<crate::acl::Acl>(),
    entry::<crate::cache::Cache>(),
    entry::<crate::minimal::Minimal>(),
    entry::<crate::transfer::Transfer>(),
    entry::<crate::hosts::Hosts>(),
    entry::<crate::k8s_external::External>(),
    entry::<crate::kubernetes::Kubernetes>(),
    entry::<crate::k8s_gateway::K8sGateway>(),
    entry::<crate::file::File>(),
    entry::<crate::auto::Auto>(),
    entry::<crate::r#loop::Loop>(),
    entry::<crate::forward::Forward>(),
    entry::<crate::whoami::Whoami>(),
    #[cfg(test)]
    entry::<crate::testing::canned::Canned>(),
];
