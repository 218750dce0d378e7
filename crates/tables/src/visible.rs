//! What of a profile others may see: the owner's choice.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ColumnProfile, Profile};

/// What the owner shows of the rows before a purchase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "show", content = "value")]
#[schema(example = json!({"show": "columns", "value": ["station", "water_level"]}))]
pub enum SamplePolicy {
    /// The sample as it was taken.
    #[default]
    Full,
    /// The values of these columns only; a column that is added later stays hidden.
    Columns(Vec<String>),
    /// No values at all.
    None,
    /// Rows the owner wrote, one value per column.
    Replaced(Vec<Vec<Value>>),
}

/// Rows of a sample, whoever made it.
const MAX_SAMPLE_ROWS: usize = 100;

/// The profile as others see it.
///
/// A column whose values are hidden loses its sample, top values, minimum and maximum, and the extent that was
/// computed from it; its name, type and counts stay. Replaced rows hide the values of every column.
pub fn visible_profile(profile: &Profile, policy: &SamplePolicy) -> Profile {
    let mut seen = profile.clone();
    let shows = |name: &str| match policy {
        SamplePolicy::Full => true,
        SamplePolicy::Columns(names) => names.iter().any(|shown| shown == name),
        SamplePolicy::None | SamplePolicy::Replaced(_) => false,
    };
    for column in &mut seen.columns {
        if !shows(&column.name) {
            withhold(column);
        }
    }
    seen.sample = visible_sample(profile, policy);
    seen.extent = seen.extent.and_then(|mut extent| {
        if !extent.place_columns.iter().all(|name| shows(name)) {
            extent.bbox = None;
            extent.place_columns.clear();
        }
        if !extent.time_columns.iter().all(|name| shows(name)) {
            (extent.from, extent.to) = (None, None);
            extent.time_columns.clear();
        }
        (extent.bbox.is_some() || extent.from.is_some()).then_some(extent)
    });
    seen
}

/// The sampled rows as others see them; `null` stands in for hidden values.
pub fn visible_sample(profile: &Profile, policy: &SamplePolicy) -> Vec<Vec<Value>> {
    let width = profile.columns.len();
    match policy {
        SamplePolicy::Full => profile.sample.clone(),
        SamplePolicy::None => Vec::new(),
        SamplePolicy::Columns(names) => {
            let shown: Vec<bool> = profile.columns.iter().map(|column| names.contains(&column.name)).collect();
            let row = |row: &Vec<Value>| {
                row.iter().zip(&shown).map(|(value, shown)| if *shown { value.clone() } else { Value::Null }).collect()
            };
            profile.sample.iter().map(row).collect()
        }
        SamplePolicy::Replaced(rows) => {
            let mut rows: Vec<Vec<Value>> = rows.iter().take(MAX_SAMPLE_ROWS).cloned().collect();
            rows.iter_mut().for_each(|row| row.resize(width, Value::Null));
            rows
        }
    }
}

fn withhold(column: &mut ColumnProfile) {
    column.min = None;
    column.max = None;
    column.top_values.clear();
    column.withheld = true;
}
