//! How an offer is charged beyond its price: what the arithmetic has to know of it.

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "unit": "request", "included_units": 1000, "tiers": [{"up_to_units": 10000, "price_minor": 5, "per_units": 10}, {"price_minor": 2, "per_units": 10}],
    "cap_minor": 50000, "grace_units": 100, "late_hours": 72
})))]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", schema(example = json!({"up_to_units": 10000, "price_minor": 5, "per_units": 10})))]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", schema(example = json!({"unit": "request", "units": 10000})))]
pub struct Quota {
    /// What is counted.
    pub unit: Unit,
    /// How many of them one pack holds.
    pub units: i64,
}

/// A price reduction from a quantity on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", schema(example = json!({"from_quantity": 10, "off_bps": 1000})))]
pub struct VolumeStep {
    /// The smallest quantity it holds for.
    pub from_quantity: i32,
    /// What is taken off the whole, in basis points.
    pub off_bps: u32,
}

/// A part of a price that is paid later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", schema(example = json!({"after_days": 30, "share_bps": 5000})))]
pub struct Instalment {
    /// Days after the purchase.
    pub after_days: u16,
    /// The part of the price, in basis points; what the parts leave is paid at the purchase.
    pub share_bps: u32,
}

/// What a slice is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SliceUnit {
    /// A row, however many of its columns are taken.
    Row,
    /// A row times a column.
    Cell,
    /// A row times the mean width of the columns taken, in whole bytes for each column, over the whole file.
    Byte,
}

/// How a part of the rows and columns of a file is sold. The price of the offer is that of the whole, and the most that
/// any part of it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", schema(example = json!({
    "per": "row", "price_minor": 25, "per_units": 1000, "floor_minor": 500, "by_area": true, "time_column": "observed_at"
})))]
pub struct SliceRule {
    /// What is counted.
    pub per: SliceUnit,
    /// What `per_units` units cost, in minor units before tax.
    pub price_minor: i64,
    /// So that a unit can cost less than a minor unit.
    pub per_units: i64,
    /// The least a slice costs, in minor units before tax.
    pub floor_minor: i64,
    /// Slices of fewer rows are not sold, nor counted for anybody.
    #[serde(default = "one")]
    pub rows_min: i64,
    /// True when an area may be cut out. The column of geometries then belongs to each slice, and is counted.
    #[serde(default)]
    pub by_area: bool,
    /// The column of times or days by which a period may be cut out. It then belongs to each slice, and is counted.
    #[serde(default)]
    pub time_column: Option<String>,
    /// True when columns may be left out.
    #[serde(default)]
    pub by_columns: bool,
    /// Columns that belong to each slice, and are counted: what names a row.
    #[serde(default)]
    pub key_columns: Vec<String>,
}

const fn one() -> i64 {
    1
}
