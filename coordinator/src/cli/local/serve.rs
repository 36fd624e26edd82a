//! `tipoff serve`: the API and the workers, until somebody says stop.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::sources;
use super::tables::make_folders;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::config::{Config, FlagValue};
use crate::engine::Instance;
use crate::rest;

/// How long workers may finish what they have once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Arguments of `tipoff serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on
    ///
    /// Port 0 picks a free one. An address other than loopback wants an API key (TIPOFF_API_KEY or TIPOFF_API_KEY_FILE).
    /// Environment: TIPOFF_LISTEN. Default: 127.0.0.1:8080.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,

    /// Worker threads; 0 coordinates only
    ///
    /// Default: `[workers]` of the configuration, else one for each processor.
    #[arg(long, value_name = "N")]
    workers: Option<u32>,

    /// No second instance exists
    ///
    /// Lets the embedded state store serve an address other than loopback.
    #[arg(long)]
    single_machine: bool,
}

impl ServeArgs {
    pub(crate) fn flags(&self) -> Vec<FlagValue> {
        let mut flags = Vec::new();
        if let Some(listen) = &self.listen {
            flags.push(FlagValue { key: "server.listen", flag: "--listen", value: listen.clone().into() });
        }
        if let Some(workers) = self.workers {
            let value = i64::from(workers).into();
            flags.push(FlagValue { key: "workers.size", flag: "--workers", value });
        }
        if self.single_machine {
            let value = true.into();
            flags.push(FlagValue { key: "server.single_machine", flag: "--single-machine", value });
        }
        flags
    }
}

/// `tipoff serve`.
pub(crate) async fn serve(config: &Config, out: Output) -> Result<Exit, Failure> {
    config.check_exposure()?;
    let listen = config.server.listen;
    // Taken before the stores are touched: a second server on this address changes nothing.
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::failed(format!("listen on {listen}: {error}")).hint("choose another address with --listen")
    })?;
    let address =
        listener.local_addr().map_err(|error| Failure::failed(format!("listen on {listen}: {error}")))?;
    make_folders(config)?;
    let instance = Instance::start(config).await?;
    let url = format!("http://{address}");
    out.either(&serde_json::json!({ "listening": url }), |_| format!("listening on {url}\n"))?;
    if config.server.admin_key.is_none() {
        out.say("no API key is set: only this machine is served");
    }

    let stop = CancellationToken::new();
    let server = tokio::spawn({
        let (service, server, stop) = (instance.service.clone(), config.server.clone(), stop.clone());
        async move { rest::serve(listener, service, &server, stop).await }
    });
    tokio::spawn(sources::publish_health(config.clone(), stop.clone()));
    let signal = stop_signal().await?;
    tracing::info!("stopping on {signal}: workers finish what they have, a second signal ends at once");
    stop.cancel();
    let stopped = async {
        instance.stop(DRAIN).await;
        // A server that panicked has stopped, too.
        let _ = server.await;
    };
    tokio::select! {
        () = stopped => tracing::info!("stopped"),
        // A kill is a correct shutdown, too.
        again = stop_signal() => tracing::warn!("ended at once on a second {}", again?),
    }
    Ok(Exit::Ok)
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn stop_signal() -> Result<&'static str, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| Failure::failed(format!("listen for signals: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    })
}
