//! The accept loop. `axum::serve` has no header timeout, so a client that drips one byte a minute would hold a
//! connection for ever; here each connection gets hyper's timer, there are only so many, and one that takes nothing of
//! its answer is given up.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::stall::StallGuard;
use crate::config::ServerConfig;
use crate::service::Service;

/// How long open requests may take once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Pause after an accept that failed for want of file descriptors: they come back as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`, then lets open requests finish for up to ten seconds. More connections than configured wait
/// in the listener's queue.
pub async fn serve(listener: TcpListener, service: Service, config: &ServerConfig, stop: CancellationToken) {
    serve_router(listener, super::router(service, config), config, stop).await;
}

async fn serve_router(listener: TcpListener, router: Router, config: &ServerConfig, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(config.max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, place) = tokio::select! {
            () = stop.cancelled() => break,
            next = next_connection(&listener, &places) => next,
        };
        let stream = StallGuard::new(stream, config.request_timeout);
        let watcher = graceful.watcher();
        tokio::spawn(converse(stream, place, router.clone(), config.header_timeout, watcher));
    }
    drop(listener);
    let open = graceful.count();
    tracing::info!(connections = open, "stopping: no new connections, {open} connections are drained");
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopping: some requests took longer than {} s and were cut off", DRAIN.as_secs());
    }
}

async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed, so this arm is only a wait.
        let Ok(place) = places.clone().acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => {
                // Most answers are small, and somebody waits for them. A socket that is gone already says so later.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(error) => {
                tracing::warn!("accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(
    stream: StallGuard<TcpStream>,
    place: OwnedSemaphorePermit,
    router: Router,
    header_timeout: Duration,
    watcher: Watcher,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!("a connection ended early: {error}");
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    async fn start(max_connections: usize) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let dir = std::path::Path::new("unused");
        let mut config = crate::config::Config::for_dir(dir).unwrap().server;
        config.max_connections = max_connections;
        config.header_timeout = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        config.request_timeout = Duration::from_millis(200);
        let big = || async { vec![0_u8; 32 << 20] };
        let router = Router::new().route("/", get(|| async { "hello" })).route("/big", get(big));
        let server = {
            let stop = stop.clone();
            tokio::spawn(async move { serve_router(listener, router, &config, stop).await })
        };
        (address, stop, server)
    }

    async fn ask(stream: &mut TcpStream, close: bool) -> String {
        let connection = if close { "close" } else { "keep-alive" };
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 1024];
        while !answer.ends_with(b"hello") {
            let n = stream.read(&mut buffer).await.unwrap();
            assert_ne!(n, 0, "the connection was closed");
            answer.extend_from_slice(&buffer[..n]);
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_client_that_drips_its_headers_is_cut_off() {
        let (address, stop, server) = start(4).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is still open");
        stop.cancel();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn the_next_connection_waits_for_a_place() {
        let (address, stop, server) = start(1).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first, false).await.starts_with("HTTP/1.1 200"));
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut byte = [0; 1];
        let early = tokio::time::timeout(Duration::from_millis(50), second.read(&mut byte)).await;
        assert!(early.is_err(), "the second connection was served beside the first");
        drop(first);
        let late = tokio::time::timeout(Duration::from_secs(10), second.read(&mut byte)).await;
        assert_eq!(late.unwrap().unwrap(), 1);
        stop.cancel();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_never_reads_gives_its_place_back() {
        let (address, stop, server) = start(1).await;
        let mut deaf = TcpStream::connect(address).await.unwrap();
        deaf.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        let served = tokio::time::timeout(Duration::from_secs(10), ask(&mut next, true)).await;
        assert!(served.unwrap().starts_with("HTTP/1.1 200"));
        stop.cancel();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_ends_idle_connections_and_the_server() {
        let (address, stop, server) = start(4).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        ask(&mut idle, false).await;
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
