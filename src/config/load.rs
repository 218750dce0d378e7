//! Reading the configuration, and remembering where each value came from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    error::Kind,
    providers::{Format as _, Serialized, Toml},
    value::Value,
};

use super::Config;

/// Why the configuration can't be used; the text names the key and what to change.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

/// A configuration and the origin of each of its values.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Key (`server.listen`) to where it was set (`default`, `file torv.toml`, `environment TORV_…`).
    pub origins: BTreeMap<String, String>,
}

const PREFIX: &str = "TORV_";
const FILE_SUFFIX: &str = "_FILE";
/// Variables of the command line, not settings.
const NOT_SETTINGS: [&str; 2] = ["TORV_DATA_DIR", "TORV_CONFIG"];

/// Reads defaults, then `file` (or `torv.toml` in the data directory, if there is one), then the environment.
///
/// # Errors
/// [`ConfigError`] for an unreadable file, an unknown key, a value of the wrong type, or one out of range.
pub fn load(
    data_dir: &Path,
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut origins = BTreeMap::new();
    let defaults = defaults();
    for key in leaves(&defaults) {
        origins.insert(key, "default".to_owned());
    }
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(path) = config_file(data_dir, file)? {
        let text =
            std::fs::read_to_string(&path).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| unreadable(&path, &text, &error))?;
        for key in leaves(&toml::Value::Table(table)) {
            origins.insert(key, format!("file {}", path.display()));
        }
        figment = figment.merge(Toml::string(&text));
    }
    for (name, value) in environment {
        let Some((key, text, origin)) = from_environment(&name, value)? else { continue };
        origins.insert(key.clone(), origin);
        figment = figment.merge((key.clone(), parse_as(lookup(&defaults, &key), &text)));
    }
    let mut config: Config = figment.extract().map_err(|error| refused(&error, &origins))?;
    data_dir.clone_into(&mut config.data_dir);
    let problems = config.problems();
    if problems.is_empty() { Ok(Loaded { config, origins }) } else { Err(ConfigError(problems.join("; "))) }
}

fn config_file(data_dir: &Path, file: Option<&Path>) -> Result<Option<PathBuf>, ConfigError> {
    match file {
        Some(path) if path.exists() => Ok(Some(path.to_owned())),
        Some(path) => Err(ConfigError(format!("{}: there is no such file", path.display()))),
        None => Ok(Some(data_dir.join("torv.toml")).filter(|path| path.exists())),
    }
}

/// Turns `TORV_DATABASE__URL` into `database.url`, and reads the file named by a `…_FILE` variable.
fn from_environment(name: &str, value: String) -> Result<Option<(String, String, String)>, ConfigError> {
    let Some(rest) = name.strip_prefix(PREFIX).filter(|_| !NOT_SETTINGS.contains(&name)) else { return Ok(None) };
    if !rest.contains("__") {
        return Ok(None);
    }
    let (rest, value, origin) = match rest.strip_suffix(FILE_SUFFIX) {
        Some(rest) => {
            let text =
                std::fs::read_to_string(&value).map_err(|error| ConfigError(format!("{name}: {value}: {error}")))?;
            (rest, text.trim_end().to_owned(), format!("environment {name}, file {value}"))
        }
        None => (rest, value, format!("environment {name}")),
    };
    Ok(Some((rest.to_lowercase().replace("__", "."), value, origin)))
}

/// Where a file can't be read. The line itself is not shown: it may hold a secret.
fn unreadable(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.split('\n').count());
    ConfigError(format!("{}: line {line}: {}", path.display(), error.message()))
}

/// Why a value is refused: its key, what was expected and where it was set, but never the value.
fn refused(error: &figment::Error, origins: &BTreeMap<String, String>) -> ConfigError {
    let key = error.path.join(".");
    let why = match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => format!("expected {expected}"),
        Kind::UnknownField(_, known) => format!("unknown key; known are {}", known.join(", ")),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "the number is out of range".to_owned(),
        _ => "can't be used".to_owned(),
    };
    let origin = origins.get(&key).map_or_else(String::new, |origin| format!(" ({origin})"));
    ConfigError(format!("{key}: {why}{origin}"))
}

fn lookup<'a>(table: &'a toml::Value, key: &str) -> Option<&'a toml::Value> {
    key.split('.').try_fold(table, |value, part| value.get(part))
}

/// Reads a variable as what its default is, so that a password of digits stays a text.
fn parse_as(default: Option<&toml::Value>, text: &str) -> Value {
    let parsed = match default {
        Some(toml::Value::Boolean(_)) => text.parse::<bool>().ok().map(Value::from),
        Some(toml::Value::Integer(_)) => text.parse::<i64>().ok().map(Value::from),
        Some(toml::Value::Array(_)) => numbers(text),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

/// Reads `1,3,7`.
fn numbers(text: &str) -> Option<Value> {
    let numbers: Result<Vec<i64>, _> = text.split(',').map(|part| part.trim().parse::<i64>()).collect();
    numbers.ok().map(Value::from)
}

fn defaults() -> toml::Value {
    toml::Value::try_from(Config::default()).unwrap_or(toml::Value::Boolean(false))
}

/// The keys of all values that are not tables, joined with dots.
fn leaves(value: &toml::Value) -> Vec<String> {
    fn walk(prefix: &str, value: &toml::Value, keys: &mut Vec<String>) {
        let toml::Value::Table(table) = value else {
            keys.push(prefix.to_owned());
            return;
        };
        for (key, value) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            walk(&path, value, keys);
        }
    }
    let mut keys = Vec::new();
    walk("", value, &mut keys);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn no_file_and_no_variables_is_the_embedded_mode() {
        let loaded = load(Path::new("nowhere"), None, env(&[])).expect("defaults are valid");
        assert!(loaded.config.database.url.is_empty());
        assert_eq!(loaded.origins["server.listen"], "default");
    }

    #[test]
    fn the_environment_wins_and_is_named_as_the_origin() {
        let loaded = load(Path::new("nowhere"), None, env(&[("TORV_TRADE__HOLD_DAYS", "3")])).expect("valid");
        assert_eq!(loaded.config.trade.hold_days, 3);
        assert_eq!(loaded.origins["trade.hold_days"], "environment TORV_TRADE__HOLD_DAYS");
    }

    #[test]
    fn unknown_keys_and_absurd_values_refuse_to_start() {
        let unknown = load(Path::new("nowhere"), None, env(&[("TORV_TRADE__HOLD_DAYZ", "3")]));
        assert!(unknown.expect_err("unknown").to_string().contains("hold_dayz"));
        let absurd = load(Path::new("nowhere"), None, env(&[("TORV_TRADE__OPERATOR_BPS", "10001")]));
        assert!(absurd.expect_err("absurd").to_string().contains("trade.operator_bps"));
    }

    #[test]
    fn a_secret_of_digits_is_a_text() {
        let loaded =
            load(Path::new("nowhere"), None, env(&[("TORV_PAYMENTS__WEBHOOK_SECRETS", "4242")])).expect("valid");
        assert_eq!(loaded.config.payments.webhook_secrets.expose(), "4242");
    }

    #[test]
    fn a_refusal_names_the_key_and_its_origin_but_not_the_value() {
        let wrong =
            load(Path::new("nowhere"), None, env(&[("TORV_TRADE__HOLD_DAYS", "hunter2")])).expect_err("no number");
        let text = wrong.to_string();
        assert!(text.contains("trade.hold_days") && text.contains("environment TORV_TRADE__HOLD_DAYS"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn secrets_are_masked_wherever_they_are_written() {
        let url = "postgres://torv:hunter2@db/torv";
        let loaded = load(Path::new("nowhere"), None, env(&[("TORV_DATABASE__URL", url)])).expect("valid");
        assert_eq!(loaded.config.database.url.expose(), url);
        let written = format!("{:?}{}", loaded.config, toml::to_string(&loaded.config).expect("writes"));
        assert!(!written.contains("hunter2"));
    }
}
