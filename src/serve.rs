//! Running the service until it is told to stop.

use std::time::Duration;

use axum::{Router, http::header, response::IntoResponse as _, routing::get};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bootstrap::{self, Built},
    error::{Error, Result},
    router, telemetry,
};

/// A listener on the configured address.
///
/// # Errors
/// When the address is taken or malformed; the text says which.
pub async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| Error::internal(format!("can't listen on {address}: {error}")))
}

/// Serves requests and does background work until `stop`; requests in flight are finished.
///
/// # Errors
/// When the server fails, or requests don't end within the grace time.
pub async fn serve(built: Built, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    let tasks = TaskTracker::new();
    let address = listener.local_addr().map_err(Error::internal)?;
    bootstrap::start_background(&built, &format!("http://{address}"), &stop, &tasks)?;
    let service = router::router(built.app.clone()).merge(metrics_route()?);
    tracing::info!(%address, "listening on http://{address}, API documents at http://{address}/docs");
    built.app.sql.announce();
    let grace = Duration::from_secs(built.app.config.server.shutdown_grace_seconds);
    let asked = stop.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move { asked.cancelled().await });
    tokio::select! {
        ended = server => ended.map_err(Error::internal)?,
        () = after(stop.clone(), grace) => tracing::warn!("requests in flight did not end within {grace:?}"),
    }
    tasks.close();
    if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
        tracing::warn!("background work did not end within {grace:?}; another process will take it over");
    }
    if tokio::time::timeout(grace, built.app.recorder.flush()).await.is_err() {
        tracing::warn!("the last deliveries could not be recorded within {grace:?}");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// When the signals can't be listened for.
pub async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).map_err(Error::internal)?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.map_err(Error::internal),
        _ = term.recv() => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the grace time is real time")]
async fn after(stop: CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// `/metrics` in the Prometheus text format. Kept apart from the API: put a guard in front of it.
fn metrics_route() -> Result<Router> {
    let handle = telemetry::start_metrics()?;
    let write = move || {
        let text = handle.render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response() }
    };
    Ok(Router::new().route("/metrics", get(write)))
}
