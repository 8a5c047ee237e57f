//! A zone of the cluster, handed over whole.

use super::{Kubernetes, NOT_READY};
use crate::handover::{Offer, Transfer, WholeZone};
use cluster::ZoneCopy;
use wire::{Body, Name};

impl Transfer for Kubernetes {
    fn transfer(&self, apex: Name<'_>) -> Offer {
        if self.view.zone_of(apex) != Some(apex) {
            return Offer::NoZone;
        }
        // Half a cluster is no zone: who has it would deny the other half.
        let Some(cluster) = self.source.cluster().filter(|cluster| cluster.is_synced()) else {
            return Offer::Failed(NOT_READY);
        };
        match cluster.copy_zone(&self.view, apex) {
            Some(zone) => Offer::Zone(Box::new(zone)),
            None => Offer::NoZone,
        }
    }
}

impl WholeZone for ZoneCopy {
    fn serial(&self) -> u32 {
        self.serial()
    }

    fn push_soa(&self, body: &mut Body) {
        self.push_soa(body);
    }

    fn push_some(&mut self, body: &mut Body) -> bool {
        self.push_some(body)
    }
}
