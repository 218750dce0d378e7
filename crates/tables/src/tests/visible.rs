use serde_json::{Value, json};

use super::profile;
use crate::{Profile, SamplePolicy, visible_profile, visible_sample};

fn stations() -> Profile {
    profile("a.csv", "name,lat,lon,opened\nTorvet,56.15,10.21,1989-04-01\nHavnen,56.16,10.22,1990-05-02\n")
}

/// True when any value of the second row shows up anywhere.
fn leaks(profile: &Profile, value: &str) -> bool {
    serde_json::to_string(profile).unwrap().contains(value)
}

#[test]
fn everything_is_seen_by_default() {
    assert_eq!(visible_profile(&stations(), &SamplePolicy::default()), stations());
}

#[test]
fn a_hidden_column_does_not_leak_through_any_figure() {
    let seen = visible_profile(&stations(), &SamplePolicy::Columns(vec!["name".to_owned(), "lon".to_owned()]));
    for hidden in ["56.15", "56.16", "1989-04-01", "1990-05-02"] {
        assert!(!leaks(&seen, hidden), "{hidden}");
    }
    assert!(leaks(&seen, "Torvet") && leaks(&seen, "10.21"));
    assert_eq!(seen.extent, None, "half of a box would tell the other half");
    assert_eq!(seen.columns.iter().map(|column| column.withheld).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(seen.sample[0], [json!("Torvet"), Value::Null, json!("10.21"), Value::Null]);
    assert_eq!((seen.columns[1].distinct, seen.row_count), (2, 2));
}

#[test]
fn nothing_is_seen_when_the_owner_shows_nothing() {
    let seen = visible_profile(&stations(), &SamplePolicy::None);
    assert!(["Torvet", "56.1", "10.2", "1989"].iter().all(|value| !leaks(&seen, value)));
    assert!(seen.sample.is_empty());
}

#[test]
fn rows_the_owner_wrote_stand_in_for_the_real_ones() {
    let rows = vec![vec![json!("Example"), json!(0.0)]; 200];
    let policy = SamplePolicy::Replaced(rows);
    let seen = visible_profile(&stations(), &policy);
    assert!(["Torvet", "56.1", "10.2", "1989"].iter().all(|value| !leaks(&seen, value)));
    assert_eq!(visible_sample(&stations(), &policy).len(), 100);
    assert_eq!(seen.sample[0], [json!("Example"), json!(0.0), Value::Null, Value::Null]);
}

#[test]
fn a_profile_survives_being_stored() {
    let text = serde_json::to_string(&stations()).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), stations());
    let policy: SamplePolicy = serde_json::from_value(json!({"show": "columns", "value": ["a"]})).unwrap();
    assert_eq!(policy, SamplePolicy::Columns(vec!["a".to_owned()]));
    assert_eq!(serde_json::from_value::<SamplePolicy>(json!({"show": "none"})).unwrap(), SamplePolicy::None);
}
