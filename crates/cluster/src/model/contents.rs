//! What is known, taken out of a model and put into another.
//!
//! **What this is.** [`Contents`] is what a snapshot is made of; [`Model::restore`] takes it back as
//! a list that has not come to its end: what an API server tells replaces it object by object, and
//! the end of its first list drops what is gone.

use super::entry::Entry;
use super::external::PackedExternal;
use super::pod::PackedPod;
use super::services::ServicesContents;
use super::{Label, Model};
use crate::objects::{ImportedSlice, Key, Kind, Namespace, Object};
use std::collections::BTreeMap;

/// All that a model knew at one moment.
///
/// Shares the packed objects with the model: to take it costs a counter for each object, and
/// the writing of it holds up nobody.
pub struct Contents {
    services: ServicesContents,
    imports: ServicesContents,
    external: BTreeMap<Box<[u8]>, PackedExternal>,
    namespaces: Vec<Label>,
    pods: Vec<PackedPod>,
    /// The serial that goes with it.
    pub(crate) serial: u32,
    /// The [`Model::revision`] that it is.
    pub(crate) revision: u64,
}

impl Contents {
    /// The objects, made one by one: as far as names and records need them, in lower case.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        Kind::ALL.into_iter().flat_map(|kind| self.of_kind(kind))
    }

    /// The [`crate::Cluster::serial`] that goes with it.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Which state of the model it is; another number is another state.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn of_kind(&self, kind: Kind) -> Box<dyn Iterator<Item = Object> + '_> {
        match kind {
            Kind::Namespace => Box::new(self.namespaces.iter().map(|label| {
                let name = String::from_utf8_lossy(label).into_owned();
                Object::Namespace(Namespace { name })
            })),
            Kind::Service => Box::new(self.services.entries.iter().filter_map(|entry| {
                let mut service = entry.unpack()?;
                if let Some(external) = self.external.get(entry.key()) {
                    // An entry that leads to another name has no ports itself.
                    (service.exposure, service.ports) = external.unpack();
                }
                Some(Object::Service(service))
            })),
            Kind::EndpointSlice => {
                let slices = self.services.slices.iter();
                Box::new(slices.map(|slice| Object::EndpointSlice(slice.unpack())))
            }
            Kind::ServiceImport => {
                let entries = self.imports.entries.iter();
                Box::new(entries.filter_map(Entry::unpack).map(Object::ServiceImport))
            }
            Kind::ImportedSlice => Box::new(self.imports.slices.iter().map(|slice| {
                let cluster = String::from_utf8_lossy(slice.cluster()).into_owned();
                Object::ImportedSlice(ImportedSlice { cluster, slice: slice.unpack() })
            })),
            // Snapshots are of the cluster's own names.
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => Box::new(std::iter::empty()),
            Kind::Pod => Box::new(self.pods.iter().map(|pod| Object::Pod(pod.unpack()))),
        }
    }
}

impl Model {
    /// What is known now.
    pub fn contents(&self) -> Contents {
        // Whoever adds a field decides here whether it has to outlive the process.
        let Self { cluster, details: _, services, imports, external, .. } = self;
        let Self { namespaces, pods, pending: _, revision, .. } = self;
        Contents {
            services: services.contents(),
            imports: imports.contents(),
            external: external.iter().map(|it| (it.key().into(), it.clone())).collect(),
            namespaces: namespaces.iter().cloned().collect(),
            pods: pods.iter().cloned().collect(),
            serial: cluster.serial(),
            revision: *revision,
        }
    }

    /// Counts the changes that [`Model::contents`] would show.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes a part of what was known once. `serial` is the one that went with it.
    ///
    /// What a source has told counts more: a kind whose list is through is left alone, and so is an
    /// object that is known. What is taken goes with the end of the next list that does not tell it.
    pub fn restore(&mut self, objects: impl IntoIterator<Item = Object>, serial: u32) {
        for object in objects {
            let key = object.key();
            if self.cluster.has_listed(key.kind) || self.knows(&key) {
                continue;
            }
            self.put(object);
            self.unmark(&key);
        }
        self.pending.triggered.clear();
        self.publish_if_much(serial);
    }

    /// All has been restored. If it `may_deny`, the cluster counts as known from now on.
    pub fn finish_restoring(&mut self, serial: u32, may_deny: bool) {
        self.publish(serial);
        self.cluster.move_serial(serial);
        if may_deny {
            self.cluster.set_restored(true);
        }
    }

    /// Drops everything that was restored and not told since.
    pub fn forget_restored(&mut self, now: u32) {
        self.cluster.set_restored(false);
        for kind in Kind::ALL {
            if !self.cluster.has_listed(kind) {
                self.drop_stale(kind);
            }
        }
        self.publish(now);
    }

    fn knows(&self, key: &Key) -> bool {
        let (namespace, name) = (key.namespace.to_ascii_lowercase(), key.name.to_ascii_lowercase());
        let by_name = (namespace.as_bytes(), name.as_bytes());
        match key.kind {
            Kind::Namespace => self.namespaces.find(by_name).is_some(),
            Kind::Service => self.services.knows_service(by_name),
            Kind::EndpointSlice => self.services.knows_slice(by_name),
            Kind::Pod => self.pods.find(by_name).is_some(),
            Kind::ServiceImport => self.imports.knows_service(by_name),
            Kind::ImportedSlice => self.imports.knows_slice(by_name),
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => false,
        }
    }

    /// Takes the mark of the relist that is under way from an object.
    fn unmark(&mut self, key: &Key) {
        let (namespace, name) = (key.namespace.to_ascii_lowercase(), key.name.to_ascii_lowercase());
        let by_name = (namespace.as_bytes(), name.as_bytes());
        match key.kind {
            Kind::Namespace => self.namespaces.unmark(by_name),
            Kind::Service => self.services.unmark_service(by_name),
            Kind::EndpointSlice => self.services.unmark_slice(by_name),
            Kind::Pod => self.pods.unmark(by_name),
            Kind::ServiceImport => self.imports.unmark_service(by_name),
            Kind::ImportedSlice => self.imports.unmark_slice(by_name),
            Kind::Ingress
            | Kind::Gateway
            | Kind::HttpRoute
            | Kind::GrpcRoute
            | Kind::TlsRoute
            | Kind::OldTlsRoute
            | Kind::DnsEndpoint
            | Kind::Node => {}
        }
    }
}
