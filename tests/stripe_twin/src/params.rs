//! The parameters of one request: checked against what the endpoint knows, then read by type.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Limits of a metadata map.
const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_CHARS_MAX: usize = 40;
const METADATA_VALUE_CHARS_MAX: usize = 500;

#[derive(Clone, Debug, Default)]
pub struct Params(pub Map<String, Value>);

impl Params {
    /// Refuses every parameter that no pattern names. A pattern is a dotted path; `#` stands for any index of a list
    /// and a final `*` for anything below. `expand.#` is always known.
    ///
    /// # Errors
    /// `parameter_unknown`, naming the first such parameter.
    pub fn allow(&self, patterns: &[&str]) -> Result<(), ApiError> {
        let mut leaves = Vec::new();
        collect_leaves(&mut leaves, Vec::new(), &Value::Object(self.0.clone()));
        for path in leaves {
            let known = patterns.iter().chain(&["expand.#", "expand"]).any(|pattern| matches(pattern, &path));
            if !known {
                let name = bracketed(&path.join("."));
                return Err(ApiError::invalid(
                    "parameter_unknown",
                    &name,
                    format!("Received unknown parameter: {name}"),
                ));
            }
        }
        Ok(())
    }

    fn value(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let mut value = self.0.get(names.next()?)?;
        for name in names {
            value = match value {
                Value::Object(map) => map.get(name)?,
                Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// A text that is present and not empty.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.value(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// # Errors
    /// `parameter_missing`.
    pub fn required(&self, path: &str) -> Result<&str, ApiError> {
        self.text(path).ok_or_else(|| {
            let name = bracketed(path);
            ApiError::invalid("parameter_missing", &name, format!("Missing required param: {name}."))
        })
    }

    /// # Errors
    /// `parameter_invalid_integer` when it is not a whole number.
    pub fn integer(&self, path: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(path) else { return Ok(None) };
        let invalid =
            |_| ApiError::invalid("parameter_invalid_integer", &bracketed(path), format!("Invalid integer: {text}"));
        text.parse().map(Some).map_err(invalid)
    }

    /// # Errors
    /// `parameter_missing` or `parameter_invalid_integer`.
    pub fn required_integer(&self, path: &str) -> Result<i64, ApiError> {
        self.required(path)?;
        Ok(self.integer(path)?.unwrap_or_default())
    }

    /// # Errors
    /// When it is neither `true` nor `false`.
    pub fn flag(&self, path: &str) -> Result<Option<bool>, ApiError> {
        match self.text(path) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid("", &bracketed(path), format!("Invalid boolean: {other}"))),
        }
    }

    /// One of the given words.
    ///
    /// # Errors
    /// Names the words when it is another one.
    pub fn choice<'a>(&'a self, path: &str, words: &[&str]) -> Result<Option<&'a str>, ApiError> {
        let Some(text) = self.text(path) else { return Ok(None) };
        if words.contains(&text) {
            return Ok(Some(text));
        }
        let message = format!("Invalid {}: must be one of {}", bracketed(path), words.join(", "));
        Err(ApiError::invalid("", &bracketed(path), message))
    }

    pub fn texts(&self, path: &str) -> Vec<String> {
        match self.value(path) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// The names below `path`.
    pub fn keys(&self, path: &str) -> Vec<String> {
        self.value(path).and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    pub fn len_of(&self, path: &str) -> usize {
        self.value(path).and_then(Value::as_array).map_or(0, Vec::len)
    }

    pub fn has(&self, path: &str) -> bool {
        self.value(path).is_some()
    }

    /// The metadata at `path`, laid over what is there: an empty value removes its key.
    ///
    /// # Errors
    /// Too many keys, or a key or value that is too long.
    pub fn metadata_over(&self, path: &str, present: &Value) -> Result<Value, ApiError> {
        let mut merged = present.as_object().cloned().unwrap_or_default();
        let Some(Value::Object(given)) = self.value(path) else { return Ok(Value::Object(merged)) };
        for (key, value) in given {
            let text = value.as_str().unwrap_or_default();
            if key.chars().count() > METADATA_KEY_CHARS_MAX || text.chars().count() > METADATA_VALUE_CHARS_MAX {
                let message = format!(
                    "Metadata keys have at most {METADATA_KEY_CHARS_MAX} characters, values {METADATA_VALUE_CHARS_MAX}."
                );
                return Err(ApiError::invalid("parameter_invalid_string_blank", &bracketed(path), message));
            }
            if text.is_empty() {
                merged.remove(key);
            } else {
                merged.insert(key.clone(), value.clone());
            }
        }
        if merged.len() > METADATA_KEYS_MAX {
            let message = format!("Metadata may have at most {METADATA_KEYS_MAX} keys.");
            return Err(ApiError::invalid("", &bracketed(path), message));
        }
        Ok(Value::Object(merged))
    }

    /// # Errors
    /// As [`Params::metadata_over`].
    pub fn metadata(&self) -> Result<Value, ApiError> {
        self.metadata_over("metadata", &Value::Null)
    }
}

/// `a.b.c` as Stripe writes it: `a[b][c]`.
fn bracketed(path: &str) -> String {
    let mut names = path.split('.');
    let head = names.next().unwrap_or_default().to_owned();
    names.fold(head, |text, name| format!("{text}[{name}]"))
}

fn collect_leaves(leaves: &mut Vec<Vec<String>>, path: Vec<String>, value: &Value) {
    let below = |name: String| {
        let mut below = path.clone();
        below.push(name);
        below
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, child)| collect_leaves(leaves, below(name.clone()), child)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, child)| collect_leaves(leaves, below(index.to_string()), child));
        }
        _ => leaves.push(path),
    }
}

fn matches(pattern: &str, path: &[String]) -> bool {
    let mut names = path.iter();
    for part in pattern.split('.') {
        if part == "*" {
            return true;
        }
        let fits = names.next().is_some_and(|name| part == name || (part == "#" && name.parse::<usize>().is_ok()));
        if !fits {
            return false;
        }
    }
    names.next().is_none()
}
