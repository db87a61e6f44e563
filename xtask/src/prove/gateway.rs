//! The release binary and the mock provider as processes of a proof, ended with it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The key and the token of every proof; both listeners are on loopback.
pub(crate) const API_KEY: &str = "sk-weir-proof";
const ADMIN_TOKEN: &str = "weir-admin-proof";
/// How often a start or an end is looked for, and how many times.
const LOOK_WAIT: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 600;
/// How many calls one page of the admin API holds.
const PAGE: usize = 500;

/// A child process that does not outlive the proof.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what they are for.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Process {
    /// Starts a program with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::File::options().create(true).append(true).open(log)?;
        let command = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child =
            command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// The memory it holds now, in MiB; Linux only.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Its id, which is also its group's when it was started in one of its own.
    pub(crate) fn id(&self) -> anyhow::Result<Pid> {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("the process has no id")
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) -> anyhow::Result<()> {
        Ok(kill_process(self.id()?, Signal::TERM)?)
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> anyhow::Result<ExitStatus> {
        for _ in 0..LOOKS_MAX {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK_WAIT);
        }
        bail!("the process did not end within {:?}", LOOK_WAIT * LOOKS_MAX)
    }
}

/// Where everything of one proof is.
pub(crate) struct Stage {
    programs: PathBuf,
    /// Data, configuration and logs.
    pub(crate) folder: PathBuf,
    provider: SocketAddr,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Stage {
    /// Takes free ports and writes the configuration into a fresh folder.
    pub(crate) fn set(programs: PathBuf, folder: PathBuf) -> anyhow::Result<Self> {
        Self::set_with(programs, folder, "")
    }

    /// The same, with more sections of settings.
    pub(crate) fn set_with(programs: PathBuf, folder: PathBuf, settings: &str) -> anyhow::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let [provider, listen, admin] = free_addresses()?;
        let text = format!(
            "listen = \"{listen}\"\nadmin_listen = \"{admin}\"\ndata_dir = \"{}\"\n[log]\nlevel = \"warn\"\n[providers.mock]\nkind = \"openai\"\nbase_url = \"http://{provider}/v1\"\napi_key = \"sk-mock\"\n{settings}",
            folder.join("data").display()
        );
        std::fs::write(folder.join("weir.toml"), text)?;
        Ok(Self { programs, folder, provider, listen, admin })
    }

    /// Starts the mock provider.
    pub(crate) fn start_provider(&self) -> anyhow::Result<Process> {
        let mut command = Command::new(self.programs.join("mock-provider"));
        command.args(["--addr", &self.provider.to_string()]);
        let process = Process::start(&mut command, &self.folder.join("provider.log"))?;
        wait_for(&format!("http://{}/v1/models", self.provider))?;
        Ok(process)
    }

    /// Changes the mock provider's delays, with a query such as `latency_us=20000`.
    pub(crate) fn slow_provider(&self, query: &str) -> anyhow::Result<()> {
        ureq::get(format!("http://{}/_mock/set?{query}", self.provider)).call()?;
        Ok(())
    }

    /// How many calls have reached the mock provider.
    pub(crate) fn count_provider_calls(&self) -> anyhow::Result<u64> {
        let url = format!("http://{}/_mock/stats", self.provider);
        let stats: Value = ureq::get(&url).call()?.body_mut().read_json()?;
        Ok(stats["completions"].as_u64().unwrap_or_default() + stats["streams"].as_u64().unwrap_or_default())
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start_gateway(&self) -> anyhow::Result<Process> {
        self.start_gateway_with(&[])
    }

    /// The same, with more variables in its environment.
    pub(crate) fn start_gateway_with(&self, variables: &[(&str, String)]) -> anyhow::Result<Process> {
        let mut command = Command::new(self.programs.join("weir"));
        command.args(["serve", "--config"]).arg(self.folder.join("weir.toml"));
        command.env("WEIR_API_KEY", API_KEY).env("WEIR_ADMIN_TOKEN", ADMIN_TOKEN);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let process = Process::start(&mut command, &self.folder.join("weir.log"))?;
        wait_for(&format!("http://{}/readyz", self.listen))
            .with_context(|| format!("see {}", self.folder.join("weir.log").display()))?;
        Ok(process)
    }

    /// A command that loads the gateway; it lacks bodies.
    pub(crate) fn load(&self, more: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("load-generator"));
        command.args(["--url", &format!("http://{}/v1/chat/completions", self.listen)]);
        command.args(["-H", &format!("Authorization: Bearer {API_KEY}")]).args(more);
        command
    }

    /// How many records there are by status.
    pub(crate) fn count_records(&self) -> anyhow::Result<BTreeMap<u64, u64>> {
        let mut counts = BTreeMap::new();
        self.each_record(|call| {
            *counts.entry(call["status"].as_u64().unwrap_or_default()).or_default() += 1;
        })?;
        Ok(counts)
    }

    /// The ids of all records.
    pub(crate) fn recorded_ids(&self) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        self.each_record(|call| ids.extend(call["id"].as_str().map(str::to_owned)))?;
        Ok(ids)
    }

    /// A URL of the data plane.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// Posts to the data plane, reads the answer to its end, and returns its status and the call's id.
    pub(crate) fn post(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, String)],
    ) -> anyhow::Result<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(self.url(path)).header("authorization", format!("Bearer {API_KEY}"));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut answer = request.send_json(body)?;
        answer.body_mut().read_to_string()?;
        let id = answer.headers().get("weir-call-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        Ok((answer.status().as_u16(), id.to_owned()))
    }

    /// Sends JSON to the admin API and returns what it answers; `path` is below `/api/v1`.
    pub(crate) fn manage(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}/api/v1{path}", self.admin))
            .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
            .header("content-type", "application/json")
            .body(body.to_string())?;
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.run(request)?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(answer.status().is_success(), "{method} {path}: {} {text}", answer.status());
        Ok(serde_json::from_str(&text)?)
    }

    /// One call as the admin API shows it, once it is on record.
    pub(crate) fn record(&self, id: &str) -> anyhow::Result<Option<Value>> {
        let url = format!("http://{}/api/v1/calls/{id}", self.admin);
        match ureq::get(url).header("authorization", format!("Bearer {ADMIN_TOKEN}")).call() {
            Ok(mut answer) => Ok(Some(answer.body_mut().read_json()?)),
            Err(ureq::Error::StatusCode(404)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes one call in this user's name and returns its id.
    pub(crate) fn call(&self, user: &str) -> anyhow::Result<String> {
        let body = json!({"model": "mock/mock-model", "messages": [{"role": "user", "content": "Hello"}]});
        let url = format!("http://{}/v1/chat/completions", self.listen);
        let bearer = format!("Bearer {API_KEY}");
        let answer =
            ureq::post(url).header("authorization", &bearer).header("weir-user", user).send_json(body)?;
        let id = answer.headers().get("weir-call-id").context("the answer carries no id")?;
        Ok(id.to_str()?.to_owned())
    }

    /// Calls a prompt, reads the answer to its end, and returns its status and the version that served.
    pub(crate) fn prompt(&self, agent: &ureq::Agent, body: &Value) -> anyhow::Result<(u16, u32)> {
        let url = format!("http://{}/v1/chat/completions", self.listen);
        let bearer = format!("Bearer {API_KEY}");
        let mut answer = agent.post(url).header("authorization", &bearer).send_json(body)?;
        answer.body_mut().read_to_string()?;
        let served = answer.headers().get("weir-prompt").and_then(|served| served.to_str().ok());
        let version = served.and_then(|served| served.rsplit_once('@')?.1.parse().ok());
        Ok((answer.status().as_u16(), version.unwrap_or_default()))
    }

    /// Asks for a chat completion, and reads the answer to its end.
    pub(crate) fn say(&self, body: &Value) -> anyhow::Result<()> {
        let url = format!("http://{}/v1/chat/completions", self.listen);
        let bearer = format!("Bearer {API_KEY}");
        ureq::post(url).header("authorization", &bearer).send_json(body)?.body_mut().read_to_string()?;
        Ok(())
    }

    /// Scores a call.
    pub(crate) fn judge(&self, id: &str) -> anyhow::Result<()> {
        let url = format!("http://{}/v1/feedback", self.listen);
        let bearer = format!("Bearer {API_KEY}");
        let score = json!({"call_id": id, "name": "helpful", "value": 1});
        ureq::post(url).header("authorization", &bearer).send_json(score)?;
        Ok(())
    }

    /// Comes with a wrong key.
    pub(crate) fn knock(&self) {
        let url = format!("http://{}/v1/models", self.listen);
        // It is refused; that is what it is for.
        ureq::get(url).header("authorization", "Bearer sk-wrong").call().ok();
    }

    /// The admin listener's address.
    pub(crate) const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// One metric's value, by its name and labels as they are printed.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = ureq::get(format!("http://{}/metrics", self.admin)).call()?.body_mut().read_to_string()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        // A counter with labels that never counted is not printed.
        line.map_or(Ok(0.0), |value| value.parse().with_context(|| format!("{name} is {value}")))
    }

    /// What the gateway wants its operator to know.
    pub(crate) fn notices(&self) -> anyhow::Result<Vec<String>> {
        let ready: Value =
            ureq::get(format!("http://{}/readyz", self.admin)).call()?.body_mut().read_json()?;
        let notices = ready["notices"].as_array().context("/readyz has no notices")?;
        Ok(notices.iter().filter_map(|notice| notice.as_str().map(str::to_owned)).collect())
    }

    /// Rows that were refused and set aside.
    pub(crate) fn poisoned(&self) -> anyhow::Result<Vec<Value>> {
        let url = format!("http://{}/api/v1/outbox/poisoned", self.admin);
        let bearer = format!("Bearer {ADMIN_TOKEN}");
        let mut page: Value =
            ureq::get(&url).header("authorization", &bearer).call()?.body_mut().read_json()?;
        let rows = page["data"].as_array_mut().context("the page holds no data")?;
        Ok(std::mem::take(rows))
    }

    fn each_record(&self, mut see: impl FnMut(&Value)) -> anyhow::Result<()> {
        let mut cursor = String::new();
        loop {
            let url = format!("http://{}/api/v1/calls?limit={PAGE}{cursor}", self.admin);
            let bearer = format!("Bearer {ADMIN_TOKEN}");
            let page: Value =
                ureq::get(&url).header("authorization", &bearer).call()?.body_mut().read_json()?;
            for call in page["data"].as_array().context("the page holds no data")? {
                see(call);
            }
            let Some(next) = page["next_cursor"].as_str() else { return Ok(()) };
            cursor = format!("&cursor={next}");
        }
    }
}

/// A port that nothing listens on now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn free_addresses() -> anyhow::Result<[SocketAddr; 3]> {
    // All are held until all are known, so that they differ.
    let open = || TcpListener::bind("127.0.0.1:0");
    let held = [open()?, open()?, open()?];
    Ok([held[0].local_addr()?, held[1].local_addr()?, held[2].local_addr()?])
}

fn wait_for(url: &str) -> anyhow::Result<()> {
    for _ in 0..LOOKS_MAX {
        if ureq::get(url).call().is_ok() {
            return Ok(());
        }
        std::thread::sleep(LOOK_WAIT);
    }
    ensure!(false, "{url} does not answer");
    Ok(())
}
