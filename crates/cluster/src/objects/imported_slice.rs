//! EndpointSlices that other clusters of a set have exported, and their JSON.

use super::document::{Metadata, Shape};
use super::endpoint_slice::{SliceShape, is_one_label};
use super::{EndpointSlice, Kind, Object};
use serde::{Deserialize, Serialize};

/// The label that names the imported service of a slice (Multi-Cluster Services API). Slices that
/// bear it are imported.
pub(crate) const IMPORTED_LABEL: &str = "multicluster.kubernetes.io/service-name";

/// A part of the endpoints that an imported service has in one of its clusters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ImportedSlice {
    /// The label `multicluster.kubernetes.io/source-cluster`: the id of the cluster, a DNS label.
    pub cluster: String,
    /// The slice. Its service is the imported one.
    pub slice: EndpointSlice,
}

#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct ImportedShape(SliceShape);

impl Shape for ImportedShape {
    const KIND: Kind = Kind::ImportedSlice;

    fn metadata(&self) -> &Metadata {
        self.0.metadata()
    }

    /// Without the id of its cluster an endpoint has no name, so such a slice is none.
    fn into_object(mut self) -> Option<Object> {
        let labels = self.0.labels();
        let cluster = labels.source_cluster.take().filter(|id| is_one_label(id))?;
        labels.service = labels.imported_service.take();
        let slice = self.0.into_slice()?;
        Some(Object::ImportedSlice(ImportedSlice { cluster, slice }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Document;

    #[test]
    fn a_slice_belongs_here_or_to_another_cluster() {
        let json = |labels: &str| {
            format!(
                r#"{{"metadata": {{"name": "db-x", "namespace": "shop", "labels": {labels}}},
                    "endpoints": [{{"addresses": ["172.30.1.1"]}}]}}"#
            )
        };
        let read =
            |labels: &str| Document::from_json(Kind::ImportedSlice, &json(labels)).unwrap().object;
        let object = read(
            r#"{"multicluster.kubernetes.io/service-name": "db",
                "multicluster.kubernetes.io/source-cluster": "east",
                "kubernetes.io/service-name": "derived-7f"}"#,
        );
        let Some(Object::ImportedSlice(imported)) = object else { panic!("{object:?}") };
        assert_eq!((imported.cluster.as_str(), imported.slice.service.as_str()), ("east", "db"));
        assert_eq!(read(r#"{"kubernetes.io/service-name": "db"}"#), None);
        assert_eq!(read(r#"{"multicluster.kubernetes.io/service-name": "db"}"#), None);
        let dotted = r#"{"multicluster.kubernetes.io/service-name": "db",
            "multicluster.kubernetes.io/source-cluster": ""}"#;
        assert_eq!(read(dotted), None);
    }
}
