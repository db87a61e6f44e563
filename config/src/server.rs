//! Where the gateway listens, and how long a shutdown may take.

use std::net::SocketAddr;
use std::time::Duration;

use crate::reader::Section;

/// The two listeners and the shutdown.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where applications call: the data plane.
    pub listen: SocketAddr,
    /// Where the admin API, the console and the metrics are.
    pub admin_listen: SocketAddr,
    /// How long calls in flight may go on after SIGTERM.
    pub shutdown_grace: Duration,
}

impl Server {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let server = Self {
            listen: top.read("listen", ([127, 0, 0, 1], 8080).into()),
            admin_listen: top.read("admin_listen", ([127, 0, 0, 1], 8081).into()),
            shutdown_grace: top.read("shutdown_grace", Duration::from_secs(30)),
        };
        if server.listen == server.admin_listen && server.listen.port() != 0 {
            top.refuse("admin_listen", "both listeners have this address", "write another port");
        }
        server
    }
}
