//! Reading the configuration, and remembering where each value came from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
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
    for key in leaves(&defaults()) {
        origins.insert(key, "default".to_owned());
    }
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(path) = config_file(data_dir, file)? {
        let text =
            std::fs::read_to_string(&path).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        for key in leaves(&toml::Value::Table(table)) {
            origins.insert(key, format!("file {}", path.display()));
        }
        figment = figment.merge(Toml::string(&text));
    }
    for (name, value) in environment {
        let Some((key, text, origin)) = from_environment(&name, value)? else { continue };
        origins.insert(key.clone(), origin);
        figment = figment.merge((key, parse_scalar(&text)));
    }
    let mut config: Config = figment.extract().map_err(|error| ConfigError(error.to_string()))?;
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

fn parse_scalar(text: &str) -> Value {
    if let Ok(flag) = text.parse::<bool>() {
        return Value::from(flag);
    }
    text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
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
    fn secrets_are_masked_wherever_they_are_written() {
        let url = "postgres://torv:hunter2@db/torv";
        let loaded = load(Path::new("nowhere"), None, env(&[("TORV_DATABASE__URL", url)])).expect("valid");
        assert_eq!(loaded.config.database.url.expose(), url);
        let written = format!("{:?}{}", loaded.config, toml::to_string(&loaded.config).expect("writes"));
        assert!(!written.contains("hunter2"));
    }
}
