//! A network between a test and its database that can be cut, stalled and mended.

use std::net::Ipv4Addr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does with connections, old and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Open,
    /// Every connection is closed.
    Cut,
    /// Nothing arrives any more, and nobody is told.
    Stalled,
}

/// Passes connections on to one address.
pub(crate) struct Proxy {
    network: watch::Sender<Network>,
}

impl Proxy {
    /// Stands in front of the server that `url` names; returns the URL that leads through it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let (start, rest) = url.split_once('@').unwrap();
        let (server, path) = rest.split_once('/').unwrap();
        let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (network, state) = watch::channel(Network::Open);
        tokio::spawn(accept(listener, server, state));
        (Self { network }, format!("{start}@{address}/{path}"))
    }

    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(listener: TcpListener, server: String, state: watch::Receiver<Network>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, server.clone(), state.clone()));
    }
}

async fn pass(mut client: TcpStream, server: String, state: watch::Receiver<Network>) {
    let now = *state.borrow();
    match now {
        Network::Cut => return,
        // It is never connected, and never told so.
        Network::Stalled => return becomes(state, Network::Cut).await,
        Network::Open => {}
    }
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut upstream) => {}
        () = becomes(state.clone(), Network::Cut) => {}
        // What is stalled stays so when the network is mended: its packets are lost.
        () = becomes(state.clone(), Network::Stalled) => becomes(state, Network::Cut).await,
    }
}

async fn becomes(mut state: watch::Receiver<Network>, wanted: Network) {
    if state.wait_for(|now| *now == wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}
