//! Logs and metrics.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::{
    config,
    error::{Error, Result},
};

/// Bounds of the histograms, in seconds.
const SECONDS_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Starts logging to the error stream, as text for people or JSON for machines.
///
/// # Errors
/// When the filter can't be read.
pub fn start_logs(log: &config::Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| Error::internal(format!("log.filter: {error}")))?;
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let started = if log.format == "json" { logs.json().try_init() } else { logs.try_init() };
    started.map_err(|error| Error::internal(error.to_string()))
}

/// Starts collecting metrics; the handle writes them down for Prometheus.
///
/// # Errors
/// When a collector runs in this process already.
pub fn start_metrics() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(Error::internal)
}
