//! A real PostgreSQL server on loopback, for tests, proofs and benchmarks: the machine's own, in a folder of its own.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::prove::gateway::Process;
use crate::workspace::is_there;

/// Where Debian and Ubuntu keep the server's programs, one folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Whom the server runs as where the tests run as root, which it refuses to.
const USER: &str = "postgres";
/// How long a start may take, looked at so often.
const LOOK_WAIT: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 600;

/// A running server with a data folder of its own, which goes with it.
pub(crate) struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    /// The user and group it runs as, if not ours.
    user: Option<(u32, u32)>,
    process: Option<Process>,
}

impl Server {
    /// Starts a server; where PostgreSQL is not installed and can be, installs it.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let user = rustix::process::geteuid().is_root().then(server_user).transpose()?;
        // Not below the project: another user may have no way in there.
        let folder = tempfile::Builder::new().prefix("weir-postgres-").tempdir()?;
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
        let mut server = Self { programs, folder, port: 0, user, process: None };
        server.make_cluster()?;
        server.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        server.restart()?;
        Ok(server)
    }

    /// Starts it again where it was, on the same port.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        let log = self.folder.path().join("log");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.path().join("data")).args(["-p", &self.port.to_string()]);
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        // The data are for one run: what a power cut would do to them does not matter.
        for setting in ["listen_addresses=127.0.0.1", &socket, "fsync=off", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        self.process = Some(Process::start(&mut command, &log)?);
        for _ in 0..LOOKS_MAX {
            let mut ready = self.command("pg_isready");
            ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            if ready.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            std::thread::sleep(LOOK_WAIT);
        }
        let log = std::fs::read_to_string(log).unwrap_or_default();
        bail!("PostgreSQL does not start: {}", log.lines().last().unwrap_or_default())
    }

    /// The URL of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// Texts sort by language here, as they do in production, so that a query that leaves it to chance is found out.
    fn make_cluster(&self) -> anyhow::Result<()> {
        let by_language = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"];
        // Before version 15 there was no choice.
        if self.init(&by_language).is_err() {
            self.init(&["--locale=C.UTF-8"])?;
        }
        Ok(())
    }

    fn init(&self, locale: &[&str]) -> anyhow::Result<()> {
        let mut init = self.command("initdb");
        init.arg("-D").arg(self.folder.path().join("data"));
        init.args(["-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync"]).args(locale);
        let made = init.output().context("cannot start initdb")?;
        ensure!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
        Ok(())
    }

    fn command(&self, program: impl AsRef<OsStr> + AsRef<Path>) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The folder of the server's programs.
fn programs() -> anyhow::Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    let by_hand =
        "PostgreSQL is not installed: apt-get install postgresql, or name a server in TEST_POSTGRES_URL";
    ensure!(rustix::process::geteuid().is_root() && is_there("apt-get"), "{by_hand}");
    println!("installing postgresql with apt-get");
    let apt = "apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql";
    let done = Command::new("sh").args(["-c", apt]).env("DEBIAN_FRONTEND", "noninteractive").output()?;
    ensure!(done.status.success(), "{by_hand} ({})", String::from_utf8_lossy(&done.stderr).trim());
    installed().context(by_hand)
}

fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest =
        versions.filter_map(|path| Some((path.file_name()?.to_str()?.parse::<u32>().ok()?, path))).max();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let debian = newest.map(|(_, path)| path.join("bin"));
    debian.into_iter().chain(std::env::split_paths(&paths)).find(|folder| {
        ["initdb", "postgres", "pg_isready"].iter().all(|program| folder.join(program).is_file())
    })
}

fn server_user() -> anyhow::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'));
    let mut fields = line.context("there is no user `postgres`")?.split(':').skip(1);
    let mut id = || fields.next().and_then(|field| field.parse().ok()).context("/etc/passwd cannot be read");
    Ok((id()?, id()?))
}
