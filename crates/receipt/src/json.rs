//! The one way to write a value as JSON, so that everybody hashes and signs the same bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Object keys sorted, no white space, whole numbers only.
///
/// # Errors
/// When the value can't be written as JSON, or holds a number with a fraction.
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write(&serde_json::to_value(value)?, &mut text)?;
    Ok(text)
}

fn write(value: &Value, text: &mut String) -> Result<(), serde_json::Error> {
    match value {
        Value::Number(number) if number.is_f64() => {
            return Err(serde::ser::Error::custom("amounts are whole minor units: a fraction can't be written"));
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(fields) => {
            // Whether the map itself is sorted depends on features that other crates turn on.
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            text.push('{');
            for (at, (name, field)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::to_string(name)?);
                text.push(':');
                write(field, text)?;
            }
            text.push('}');
        }
        plain => text.push_str(&serde_json::to_string(plain)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = json!({"b": {"y": 1, "x": [2, null]}, "a": "é\n"});
        assert_eq!(canonical_json(&value).expect("writes"), r#"{"a":"é\n","b":{"x":[2,null],"y":1}}"#);
    }

    #[test]
    fn a_fraction_has_no_canonical_form() {
        assert!(canonical_json(&json!({"amount": 1.5})).is_err());
    }
}
