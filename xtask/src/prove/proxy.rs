//! A proxy in front of a server that speaks HTTP, with moods: it passes, refuses, stalls, fails, or lets a request
//! through and swallows the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// How long a stalled connection is held.
const STALL: Duration = Duration::from_secs(3);
/// How long a side may be silent before its connection is given up.
const SILENCE: Duration = Duration::from_secs(30);
const FAILURE: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 17\r\nconnection: close\r\n\r\nCode: 999. broken";

/// What poisoned rows hold. Nothing else holds four bytes of it, so that it stands as it is in LZ4 too.
pub(crate) const POISON: &str = "q7Zx~pOiSoN~xZ7q";
/// How ClickHouse refuses a row that breaks a constraint.
const REFUSAL: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: 469\r\ncontent-length: 66\r\nconnection: close\r\n\r\nCode: 469. DB::Exception: Constraint `sound` is violated at row 1.";

/// What the proxy does to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    /// Passes everything on.
    Passes,
    /// Closes connections at once.
    Refuses,
    /// Takes connections and says nothing for a while.
    Stalls,
    /// Answers 500.
    Fails,
    /// Passes requests on and breaks off before the answer.
    SwallowsAnswers,
    /// Refuses requests that hold [`POISON`] as ClickHouse refuses rows, and passes the others on.
    RefusesPoison,
}

/// A running proxy; it ends with the process.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    to: SocketAddr,
    mood: AtomicU8,
    swallowed: AtomicU64,
    spoiled: AtomicU64,
}

impl Proxy {
    /// Starts on a free port, passing on to `to`.
    pub(crate) fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            to,
            mood: AtomicU8::new(0),
            swallowed: AtomicU64::new(0),
            spoiled: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A connection that breaks is what this is for.
                std::thread::spawn(move || state.serve(client).ok());
            }
        });
        Ok(Self { address, state })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes its mood, for connections that are open too.
    pub(crate) fn set(&self, mood: Mood) {
        self.state.mood.store(mood as u8, Ordering::Relaxed);
    }

    /// Answers that were swallowed.
    pub(crate) fn swallowed(&self) -> u64 {
        self.state.swallowed.load(Ordering::Relaxed)
    }

    /// Connections that were refused, stalled or failed.
    pub(crate) fn spoiled(&self) -> u64 {
        self.state.spoiled.load(Ordering::Relaxed)
    }
}

impl State {
    fn is(&self, mood: Mood) -> bool {
        self.mood.load(Ordering::Relaxed) == mood as u8
    }

    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        if self.is(Mood::RefusesPoison) {
            return self.sift(&mut client);
        }
        if !self.is(Mood::Passes) && !self.is(Mood::SwallowsAnswers) {
            return self.spoil(&mut client);
        }
        let mut server = TcpStream::connect(self.to)?;
        for side in [&client, &server] {
            side.set_read_timeout(Some(SILENCE))?;
            side.set_nodelay(true)?;
        }
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        let upward = std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = server.read(&mut buffer)?;
            if read == 0 || !self.is(Mood::Passes) {
                self.swallowed
                    .fetch_add(u64::from(read > 0 && self.is(Mood::SwallowsAnswers)), Ordering::Relaxed);
                break;
            }
            client.write_all(&buffer[..read])?;
        }
        for side in [&client, &server] {
            side.shutdown(std::net::Shutdown::Both)?;
        }
        drop(upward.join());
        Ok(())
    }

    /// One request, read whole: refused if it is poisoned, else passed on with an end to its connection.
    fn sift(&self, client: &mut TcpStream) -> std::io::Result<()> {
        client.set_read_timeout(Some(SILENCE))?;
        let (mut request, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while !is_whole(&request) {
            let read = client.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            request.extend_from_slice(&buffer[..read]);
        }
        if memchr::memmem::find(&request, POISON.as_bytes()).is_some() {
            self.spoiled.fetch_add(1, Ordering::Relaxed);
            return client.write_all(REFUSAL);
        }
        let mut server = TcpStream::connect(self.to)?;
        server.write_all(&ending(&request))?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        client.write_all(&ending(&answer))
    }

    fn spoil(&self, client: &mut TcpStream) -> std::io::Result<()> {
        self.spoiled.fetch_add(1, Ordering::Relaxed);
        if self.is(Mood::Stalls) {
            std::thread::sleep(STALL);
        } else if self.is(Mood::Fails) {
            client.set_read_timeout(Some(Duration::from_millis(200)))?;
            // The request is read as far as it comes, so that the answer is not lost to a reset.
            let mut buffer = vec![0; 64 << 10];
            while client.read(&mut buffer).is_ok_and(|read| read > 0) {}
            client.write_all(FAILURE)?;
        }
        Ok(())
    }
}

/// A request or an answer which says that its connection ends with it.
fn ending(message: &[u8]) -> Vec<u8> {
    let (line, rest) = message.split_at(memchr::memmem::find(message, b"\r\n").unwrap_or_default());
    [line, b"\r\nConnection: close", rest].concat()
}

/// Whether a request is there to its last byte: by its length, or its last chunk.
fn is_whole(request: &[u8]) -> bool {
    let Some(head) = memchr::memmem::find(request, b"\r\n\r\n") else { return false };
    let (head, body) = (String::from_utf8_lossy(&request[..head]).to_ascii_lowercase(), &request[head + 4..]);
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.split_once(':').filter(|(found, _)| *found == name))
            .map(|(_, value)| value.trim())
    };
    match header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => header("transfer-encoding").is_none() || body.ends_with(b"0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_by_its_length_or_its_last_chunk() {
        for (whole, request) in [
            (true, "GET / HTTP/1.1\r\n\r\n"),
            (false, "GET / HTTP/1.1\r\n"),
            (true, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
            (false, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc"),
            (true, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            (false, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        ] {
            assert_eq!(is_whole(request.as_bytes()), whole, "{request}");
        }
        assert_eq!(REFUSAL.split(|byte| *byte == b'\n').next_back().map(<[u8]>::len), Some(66));
    }

    fn ask(proxy: &Proxy) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(proxy.address())?;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    }

    #[test]
    fn an_answer_passes_fails_or_is_swallowed() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in server.incoming().flatten() {
                let mut request = [0; 18];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(b"served").unwrap();
            }
        });
        let proxy = Proxy::start(address).unwrap();
        assert_eq!(ask(&proxy).unwrap(), "served");
        proxy.set(Mood::SwallowsAnswers);
        assert_eq!(ask(&proxy).unwrap_or_default(), "");
        assert_eq!((proxy.swallowed(), proxy.spoiled()), (1, 0));
        proxy.set(Mood::Fails);
        assert!(ask(&proxy).unwrap().starts_with("HTTP/1.1 500"));
        assert_eq!(proxy.spoiled(), 1);
    }
}
