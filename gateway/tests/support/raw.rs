//! A connection without manners, for clients that do not keep to HTTP or stop in the middle of it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::wait::patiently;

/// Bytes out, bytes in.
pub struct RawConnection(TcpStream);

impl RawConnection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket)
    }

    /// Sends `text` as it stands.
    pub async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything the other side still sends, until it closes the connection.
    pub async fn until_closed(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = patiently("the connection to be closed", self.0.read_to_end(&mut bytes)).await;
        // A reset is an end too: the other side closed with bytes of ours unread.
        drop(read);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads until `end` has come, and returns everything up to there.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            let byte = patiently(end, self.0.read_u8()).await.unwrap();
            bytes.push(byte);
        }
        String::from_utf8(bytes).unwrap()
    }
}
