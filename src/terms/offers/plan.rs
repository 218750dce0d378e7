//! What a single price does not say: trial, renewal, metering, instalments, steps, parts.

use entity::{
    ids::{ListingId, OrgId},
    states::FeeBearer,
};
use serde::{Deserialize, Serialize};

pub use torv_money::plan::{Instalment, Meter, Quota, SliceRule, SliceUnit, Tier, Unit, VolumeStep};

/// How an offer is charged beyond its price.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"renews": true, "trial_days": 14}))]
pub struct Plan {
    /// A subscription goes on for another term unless it is cancelled.
    pub renews: bool,
    /// Days before the first charge.
    pub trial_days: u16,
    /// What is counted and what it costs, of a metered offer.
    pub meter: Option<Meter>,
    /// Units of a quota pack.
    pub quota: Option<Quota>,
    /// Price reductions by quantity, ascending.
    pub volume: Vec<VolumeStep>,
    /// Parts of the price that are paid later than at the purchase.
    pub instalments: Vec<Instalment>,
    /// How parts of its rows and columns are sold; the price is then that of the whole, which can be ordered too.
    pub slice: Option<SliceRule>,
    /// The listings of a bundle.
    pub parts: Vec<BundlePart>,
    /// The one organisation that can see and order it.
    pub private_to: Option<OrgId>,
    /// Who bears the processor's fee, where a provider agreed to it. Of a bundle it holds for the composer's own listings:
    /// for those of others the operator's rules do.
    pub fee_bearer: Option<FeeBearer>,
}

/// A listing of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "weight": 3}))]
pub struct BundlePart {
    /// The listing.
    pub listing_id: ListingId,
    /// Its share of the price, against the other parts.
    pub weight: u32,
}
