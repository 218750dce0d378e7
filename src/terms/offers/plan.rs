//! What a single price does not say: trial, renewal, metering, instalments, steps, parts.

use entity::{
    ids::{ListingId, OrgId},
    states::FeeBearer,
};
use serde::{Deserialize, Serialize};

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
    /// The listings of a bundle.
    pub parts: Vec<BundlePart>,
    /// The one organisation that can see and order it.
    pub private_to: Option<OrgId>,
    /// Who bears the processor's fee, where a provider agreed to it. Of a bundle it holds for the composer's own listings:
    /// for those of others the operator's rules do.
    pub fee_bearer: Option<FeeBearer>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A download or a call.
    Request,
    /// A row delivered.
    Row,
    /// A byte delivered.
    Byte,
    /// Something the provider reports.
    Event,
}

/// A price by use, per month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "unit": "request", "included_units": 1000, "tiers": [{"up_to_units": 10000, "price_minor": 5, "per_units": 10}, {"price_minor": 2, "per_units": 10}],
    "cap_minor": 50000, "grace_units": 100, "late_hours": 72
}))]
pub struct Meter {
    /// What is counted.
    pub unit: Unit,
    /// Units of a month that cost nothing.
    #[serde(default)]
    pub included_units: i64,
    /// Graduated: each tier prices the units that fall into it, after the included ones.
    pub tiers: Vec<Tier>,
    /// The most a month costs, in minor units before tax.
    #[serde(default)]
    pub cap_minor: Option<i64>,
    /// Units beyond a buyer's budget that are still delivered, at no charge.
    #[serde(default)]
    pub grace_units: i64,
    /// Hours after the end of a month in which its usage may still be reported; later usage counts in the next.
    #[serde(default)]
    pub late_hours: u16,
}

/// A tier of a graduated price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"up_to_units": 10000, "price_minor": 5, "per_units": 10}))]
pub struct Tier {
    /// The last unit in it, counted from the first that is charged; the last tier has none.
    #[serde(default)]
    pub up_to_units: Option<i64>,
    /// What `per_units` units cost, in minor units.
    pub price_minor: i64,
    /// So that a unit can cost less than a minor unit.
    pub per_units: i64,
}

/// Units paid ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"unit": "request", "units": 10000}))]
pub struct Quota {
    /// What is counted.
    pub unit: Unit,
    /// How many of them one pack holds.
    pub units: i64,
}

/// A price reduction from a quantity on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from_quantity": 10, "off_bps": 1000}))]
pub struct VolumeStep {
    /// The smallest quantity it holds for.
    pub from_quantity: i32,
    /// What is taken off the whole, in basis points.
    pub off_bps: u32,
}

/// A part of a price that is paid later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"after_days": 30, "share_bps": 5000}))]
pub struct Instalment {
    /// Days after the purchase.
    pub after_days: u16,
    /// The part of the price, in basis points; what the parts leave is paid at the purchase.
    pub share_bps: u32,
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
