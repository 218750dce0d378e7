//! Form bodies and query strings in Stripe's bracket notation: `a[b][]=1` becomes `{"a": {"b": ["1"]}}`.

use serde_json::{Map, Value};

/// Most pairs one request may carry.
const PAIRS_MAX: usize = 1_000;
/// Deepest nesting that is understood.
const DEPTH_MAX: usize = 8;

/// Parses `a=1&b[c]=2&d[]=3` into a tree whose leaves are strings.
///
/// # Errors
/// A sentence that says what is wrong: too many pairs, too deep, or an unclosed bracket.
pub fn parse(input: &str) -> Result<Map<String, Value>, String> {
    let mut root = Map::new();
    for (count, (name, value)) in form_urlencoded::parse(input.as_bytes()).enumerate() {
        if count == PAIRS_MAX {
            return Err(format!("More than {PAIRS_MAX} parameters."));
        }
        let path = split(&name)?;
        insert(&mut root, &path, &value);
    }
    Ok(root.into_iter().map(|(name, value)| (name.clone(), arrays(&name, value))).collect())
}

/// `a[b][]` as `["a", "b", ""]`.
fn split(name: &str) -> Result<Vec<String>, String> {
    let (head, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut path = vec![head.to_owned()];
    while let Some(inner) = rest.strip_prefix('[') {
        let end = inner.find(']').ok_or_else(|| format!("Unclosed bracket in parameter: {name}"))?;
        path.push(inner[..end].to_owned());
        rest = &inner[end + 1..];
    }
    if path.len() > DEPTH_MAX {
        return Err(format!("Parameter nested deeper than {DEPTH_MAX}: {name}"));
    }
    Ok(path)
}

fn insert(node: &mut Map<String, Value>, path: &[String], value: &str) {
    let Some((head, rest)) = path.split_first() else { return };
    let key = if head.is_empty() { node.len().to_string() } else { head.clone() };
    if rest.is_empty() {
        node.insert(key, Value::String(value.to_owned()));
        return;
    }
    let child = node.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    if let Value::Object(child) = child {
        insert(child, rest, value);
    }
}

/// Turns maps with the keys 0, 1, 2 … into arrays; metadata stays a map whatever its keys are.
fn arrays(name: &str, value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let is_list = !map.is_empty() && name != "metadata" && map.keys().all(|key| key.parse::<usize>().is_ok());
    if is_list {
        let mut items: Vec<(usize, Value)> =
            map.into_iter().filter_map(|(key, value)| Some((key.parse().ok()?, arrays("", value)))).collect();
        items.sort_by_key(|(index, _)| *index);
        return Value::Array(items.into_iter().map(|(_, value)| value).collect());
    }
    Value::Object(map.into_iter().map(|(key, value)| (key.clone(), arrays(&key, value))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn brackets_become_maps_and_lists() {
        let parsed = super::parse("amount=100&expand[]=a&expand[]=b&l[0][p][unit]=5&metadata[0]=x&m%5Bk%5D=v").unwrap();
        assert_eq!(
            serde_json::Value::Object(parsed),
            json!({"amount": "100", "expand": ["a", "b"], "l": [{"p": {"unit": "5"}}], "metadata": {"0": "x"}, "m": {"k": "v"}})
        );
    }

    #[test]
    fn an_unclosed_bracket_is_refused() {
        assert!(super::parse("a[b=1").is_err());
    }
}
