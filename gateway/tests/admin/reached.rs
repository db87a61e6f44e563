//! Every command of the tree that asks a gateway, run once against one; and what of the admin API that leaves.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::commands::{Said, weir_at};
use crate::desk::Desk;
use crate::support::{FakeProvider, ask, patiently};

/// Routes that no command asks, and why.
const BEYOND: [(&str, &str); 15] = [
    (
        "POST /api/v1/alerts",
        "an alert is a document: written in a file and sent with curl, or in the console",
    ),
    ("GET /api/v1/alerts/{id}", "`weir alert list --json` has all there is to know of each"),
    ("PATCH /api/v1/alerts/{id}", "as for making one"),
    ("DELETE /api/v1/alerts/{id}", "as for making one"),
    ("GET /api/v1/alerts/{id}/history", "what it told is in the channels it told it to"),
    ("POST /api/v1/alerts/{id}/mute", "as for making one"),
    ("GET /api/v1/audit/head", "`weir audit verify` reckons the head from the entries and believes nobody"),
    ("GET /api/v1/calls/fields", "completes what is typed into a search box"),
    ("GET /api/v1/calls/values", "completes what is typed into a search box"),
    ("POST /api/v1/feedback-links", "made by applications, for their users"),
    ("GET /api/v1/openapi.json", "`weir openapi` prints it without a gateway"),
    ("GET /api/v1/prices", "`weir prices check` reads the catalogue of the binary"),
    ("GET /healthz", "for load balancers"),
    ("GET /metrics", "for Prometheus"),
    ("GET /readyz", "for load balancers"),
];

/// Commands, and groups of them, that other tests run: they ask no gateway, or elsewhere too.
const ELSEWHERE: [&str; 8] =
    ["serve", "check", "migrate", "openapi", "prices check", "prompt test", "outbox drain", "import"];

/// A gateway behind somebody who writes down what is asked of it.
struct Overheard {
    desk: Desk,
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
    /// The commands that were run, without what they were given.
    ran: BTreeSet<String>,
}

impl Overheard {
    async fn listen(desk: Desk) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (admin, notes) = (desk.admin_address(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((asking, _)) = listener.accept().await {
                let (from, back) = asking.into_split();
                let (answers, to) = TcpStream::connect(admin).await.unwrap().into_split();
                tokio::spawn(pass(from, to, Some(Arc::clone(&notes))));
                tokio::spawn(pass(answers, back, None));
            }
        });
        Self { desk, url, heard, ran: BTreeSet::new() }
    }

    async fn say(&mut self, line: &str) -> Said {
        let words: Vec<&str> = line.split(' ').collect();
        let depth = depth_of(&words);
        self.ran.insert(words[..depth].join(" "));
        weir_at(&self.url, self.desk.admin_token(), &words).await
    }

    /// Runs a command that succeeds.
    async fn run(&mut self, line: &str) -> Said {
        let said = self.say(line).await;
        assert!(said.ok, "weir {line}: {} {}", said.out, said.err);
        said
    }

    /// Runs a command for people and for programs, and tells what programs get.
    async fn read(&mut self, line: &str) -> Value {
        let said = self.run(line).await;
        assert!(!said.out.trim().is_empty(), "weir {line} prints nothing");
        self.run(&format!("{line} --json")).await.json()
    }

    /// Runs a command that makes something, and tells its id.
    async fn made(&mut self, line: &str) -> String {
        let made = self.run(&format!("{line} --json")).await.json();
        made["id"].as_str().unwrap().to_owned()
    }

    /// The routes of the description that were asked.
    fn asked(&self, routes: &BTreeSet<String>) -> BTreeSet<String> {
        let heard = String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned();
        let asked = heard.lines().filter_map(request);
        let route = |asked: String| {
            let fitting = routes.iter().filter(|route| is_of(&asked, route));
            fitting.min_by_key(|route| names(route)).cloned()
        };
        asked.filter_map(route).collect()
    }
}

/// What a line asks for, `GET /a`, if it is the first of a request; the body before it ends with no line end.
fn request(line: &str) -> Option<String> {
    let (before, path) = line.strip_suffix(" HTTP/1.1")?.rsplit_once(' ')?;
    let method = before.rsplit(|c: char| !c.is_ascii_uppercase()).next()?;
    Some(format!("{method} {path}"))
}

/// Passes bytes on until there are no more.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, notes: Option<Arc<Mutex<Vec<u8>>>>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if let Some(notes) = &notes {
            notes.lock().unwrap().extend_from_slice(&bytes[..count]);
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// Whether what was asked, `GET /api/v1/prompts/a?x=y`, is of this route.
fn is_of(asked: &str, route: &str) -> bool {
    let asked = asked.split('?').next().unwrap_or_default();
    let (asked, route): (Vec<&str>, Vec<&str>) = (asked.split('/').collect(), route.split('/').collect());
    asked.len() == route.len()
        && asked.iter().zip(&route).all(|(word, of)| word == of || (of.starts_with('{') && !word.is_empty()))
}

/// How many names a route leaves open.
fn names(route: &str) -> usize {
    route.matches('{').count()
}

/// How many of the words name the command.
fn depth_of(words: &[&str]) -> usize {
    let mut at = gateway::cli::tree();
    let mut depth = 0;
    for word in words {
        let Some(below) = at.find_subcommand(word).cloned() else { break };
        (at, depth) = (below, depth + 1);
    }
    depth
}

/// The commands that have none below them.
fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name());
        if below.has_subcommands() {
            leaves(below, &path, found);
        } else {
            found.insert(path.trim_start().to_owned());
        }
    }
}

fn routes() -> BTreeSet<String> {
    let description: Value = serde_json::from_str(&gateway::admin::openapi()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

const FILE: &str = "---\ndescription: answers customers\nvariables:\n  tone:\n    default: kind\n---\n=== system\nBe {{tone}}.\n";

async fn prompts(it: &mut Overheard, dir: &str) {
    let file = format!("{dir}/reply.prompt");
    std::fs::write(&file, FILE).unwrap();
    it.run("prompt create empty --tags mail --alias pmpt_1").await;
    it.run(&format!("prompt create support/reply --file {file} --tags mail")).await;
    it.run(&format!("prompt publish support/reply {file} --label staging -m again --expect 1")).await;
    it.run("prompt edit empty --folder old --description gone").await;
    assert_eq!(it.read("prompt list --folder support").await["data"][0]["tags"], json!(["mail"]));
    assert_eq!(it.read("prompt show support/reply").await["description"], "answers customers");
    assert_eq!(it.read("prompt show support/reply@staging").await["version"], 1);
    assert_eq!(it.read("prompt versions support/reply").await["data"][0]["labels"], json!(["staging"]));
    assert_eq!(it.read("prompt used-by support/reply").await["data"], json!([]));
    it.run("prompt archive old/empty").await;
    it.run("prompt restore old/empty").await;
    it.run(&format!("prompt check {file}")).await;
    std::fs::write(&file, FILE.replace("Be ", "Sound ")).unwrap();
    it.run(&format!("prompt draft save support/reply {file} -m warmer")).await;
    assert_eq!(it.read("prompt draft show support/reply").await["parent"], 1);
    assert_eq!(it.run("prompt draft publish support/reply").await.out, "support/reply@2 (1.0.1)\n");
    it.run(&format!("prompt draft save support/reply {file}")).await;
    it.run("prompt draft discard support/reply").await;
    it.read("prompt render support/reply@2").await;
    it.run(&format!("prompt pull {dir}")).await;
    it.run(&format!("prompt push {dir}")).await;
    it.say("prompt diff support/reply --from 1 --to 2").await;
}

async fn labels(it: &mut Overheard) {
    it.run("label move support/reply production 1 --expect 0").await;
    it.run("label move support/reply production 2").await;
    it.run("label rollback support/reply production").await;
    it.run("label move support/reply beta 2").await;
    it.run("label remove support/reply beta --expect 2 --reason unused").await;
    assert_eq!(it.read("label list support/reply").await["data"][0]["label"], "production");
    assert_eq!(it.read("label history support/reply beta").await["data"][0]["action"], "remove");
    it.run("label policy canary --approvals 0 --freeze 2001-01-01T00:00:00Z..2001-01-02T00:00:00Z=old").await;
    it.run("label policy canary --reset").await;
    assert_eq!(it.read("label policy production").await["protected"], true);
    assert_eq!(it.read("label policy").await["data"][0]["label"], "production");
}

async fn releases(it: &mut Overheard) {
    let propose = "release propose support/reply production 2 --ramp 10,50,100";
    for deeds in [&["reject"][..], &["withdraw"], &["release", "pause", "resume", "advance", "abort"]] {
        // With one approval asked for, a proposal waits.
        let asked = if deeds.len() == 1 { "1" } else { "0" };
        it.run(&format!("label policy production --protected true --approvals {asked}")).await;
        let id = it.made(propose).await;
        for deed in deeds {
            it.run(&format!("release {deed} {id}")).await;
        }
        it.read(&format!("release show {id}")).await;
    }
    it.run("label policy production --approvals 1").await;
    let id = it.made(propose).await;
    let own = it.say(&format!("release approve {id}")).await;
    assert!(!own.ok, "nobody approves what they proposed");
    it.run("label policy production --reset").await;
    assert_eq!(it.read("release list --label production").await["data"].as_array().unwrap().len(), 4);
}

async fn experiments(it: &mut Overheard) {
    it.run("experiment start support/reply trial --arm a=1:1 --arm b=2:1 --exclude-metadata tier=internal")
        .await;
    let shown = it.read("experiment show support/reply trial").await;
    assert_eq!(shown["exclude"]["metadata"], json!({"tier": ["internal"]}));
    it.read("experiment list support/reply").await;
    it.run("experiment stop support/reply trial").await;
    it.run("experiment remove support/reply trial").await;
}

async fn access(it: &mut Overheard) {
    it.run("project create shop").await;
    it.run("project edit shop --description things").await;
    assert_eq!(it.read("project show shop").await["description"], "things");
    it.read("project list").await;
    it.run("project archive shop").await;
    it.run("project restore shop").await;
    it.run("key create till --models openai/*").await;
    it.run("key edit till --all-models --passthrough --registered-prompts-only=false").await;
    let key = it.read("key show till").await;
    assert_eq!(json!([key["models"], key["passthrough"]]), json!([null, true]));
    it.read("key list").await;
    it.run("key revoke till").await;
    it.run("token create ci --role editor").await;
    it.read("token list").await;
    assert_eq!(it.read("token show ci").await["role"], "editor");
    it.run("token revoke ci").await;
    it.read("audit list --limit 3").await;
    it.run("audit export").await;
    it.run("audit verify").await;
}

async fn webhooks_and_views(it: &mut Overheard, url: &str) {
    it.run(&format!("webhook create pager {url} --events prompt.*")).await;
    it.run("webhook edit pager --name siren --enabled true").await;
    it.read("webhook show siren").await;
    it.read("webhook list").await;
    assert_eq!(it.read("webhook test siren").await["state"], "delivered");
    let sent = it.read("webhook deliveries siren").await["data"][0]["id"].as_str().unwrap().to_owned();
    it.read(&format!("webhook replay {sent}")).await;
    it.run("webhook remove siren").await;
    it.run("view create slow -q latency>5s --from -7d").await;
    it.run("view create costs --kind report --measures calls,cost --by model --interval 1d").await;
    it.run("view edit slow --to -1h").await;
    assert_eq!(it.read("view show slow").await["to"], "-1h");
    assert_eq!(it.read("view list --kind report").await["data"][0]["report"]["group_by"], json!(["model"]));
    it.run("view remove slow").await;
}

async fn records(it: &mut Overheard) {
    let mut body = ask();
    body["weir"] = json!({"session": "s-1", "user": "u-1"});
    assert_eq!(it.desk.chat(&body).await.status, 200);
    patiently("the records", it.desk.app().recorder.flush()).await;
    let found = it.read("calls search user:u-1").await;
    let call = found["data"][0]["id"].as_str().unwrap().to_owned();
    it.read("calls count").await;
    it.read(&format!("calls show {call}")).await;
    it.run(&format!("trace {call}")).await;
    it.read(&format!("trace show {call}")).await;
    assert_eq!(it.read("trace list user:u-1").await["data"][0]["session"], "s-1");
    assert_eq!(it.read("session list").await["data"][0]["id"], "s-1");
    assert_eq!(it.read("session show s-1").await["data"][0]["id"], *call);
    it.run(&format!("score add helpful true --call {call} --comment good")).await;
    it.run("score add mood -0.5 --session s-1").await;
    assert_eq!(it.read("score list --session s-1").await["data"][0]["value"], -0.5);
    it.read("report calls").await;
    it.run("export").await;
    it.read("outbox status").await;
    it.run("outbox poisoned").await;
    for refused in ["retry", "drop all", "drop 7"] {
        it.say(&format!("outbox poisoned {refused}")).await;
    }
    it.run("reprice --dry-run").await;
    it.read("alert list").await;
    assert!(it.say("alert test none").await.err.contains("there is no alert `none`"));
    it.run("records compact").await;
    it.run("records forget --user u-1").await;
}

#[tokio::test]
async fn every_command_is_run_and_every_route_is_asked_or_known_to_be_beyond_them() {
    let desk = Desk::with(|config| config.webhooks.allow_private_addresses = true).await;
    let (receiver, dir) = (FakeProvider::start().await, tempfile::tempdir().unwrap());
    let mut it = Overheard::listen(desk).await;
    prompts(&mut it, dir.path().to_str().unwrap()).await;
    labels(&mut it).await;
    releases(&mut it).await;
    experiments(&mut it).await;
    access(&mut it).await;
    webhooks_and_views(&mut it, &receiver.base_url()).await;
    records(&mut it).await;

    let mut commands = BTreeSet::new();
    leaves(&gateway::cli::tree(), "", &mut commands);
    let elsewhere =
        |name: &str| ELSEWHERE.iter().any(|it| name == *it || name.starts_with(&format!("{it} ")));
    let missed: Vec<_> = commands.iter().filter(|name| !it.ran.contains(*name) && !elsewhere(name)).collect();
    assert!(missed.is_empty(), "no test runs {missed:?}");

    let routes = routes();
    let asked = it.asked(&routes);
    let beyond: BTreeSet<String> = BEYOND.iter().map(|(route, _)| (*route).to_owned()).collect();
    let unreached: Vec<_> = routes.difference(&asked).filter(|route| !beyond.contains(*route)).collect();
    assert!(unreached.is_empty(), "no command asks {unreached:?}: make one, or say in BEYOND why not");
    let needless: Vec<_> =
        beyond.iter().filter(|route| asked.contains(*route) || !routes.contains(*route)).collect();
    assert!(needless.is_empty(), "{needless:?} need not be in BEYOND");
}

#[test]
fn every_command_that_reads_prints_json_too() {
    fn walk(command: &clap::Command, path: &str, without: &mut Vec<String>) {
        for below in command.get_subcommands() {
            let path = format!("{path} {}", below.get_name());
            let reads = [
                "list",
                "show",
                "versions",
                "history",
                "used-by",
                "deliveries",
                "search",
                "count",
                "policy",
                "report",
            ];
            if reads.contains(&below.get_name()) && !below.get_arguments().any(|arg| arg.get_id() == "json") {
                without.push(path.clone());
            }
            walk(below, &path, without);
        }
    }
    let mut without = Vec::new();
    walk(&gateway::cli::tree(), "weir", &mut without);
    assert!(without.is_empty(), "{without:?}");
}
