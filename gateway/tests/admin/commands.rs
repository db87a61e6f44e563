//! The commands that read records, as processes of their own against a real gateway.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use analytics::outbox::{Batch, Table};
use analytics::{Outbox, OutboxSettings};
use config::CommandLine;
use gateway::leftovers::Leftovers;
use serde_json::{Value, json};
use vocab::{Clock, Secret};

use crate::desk::Desk;
use crate::support::{Call, Harness, ask, patiently};

/// What a command said.
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        assert!(self.ok, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }
}

/// Runs `weir` with these words, and with this gateway's address and token.
pub(crate) async fn weir(desk: &Desk, words: &[&str]) -> Said {
    weir_at(&format!("http://{}", desk.admin_address()), desk.admin_token(), words).await
}

/// Runs `weir` with these words, and with this URL and token.
pub(crate) async fn weir_at(url: &str, token: &str, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(words).env("WEIR_ADMIN_URL", url).env("WEIR_ADMIN_TOKEN", token);
    let running = tokio::task::spawn_blocking(move || command.output());
    let output = patiently("the command", running).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

async fn filled(calls: usize) -> Desk {
    let desk = Desk::open().await;
    for n in 0..calls {
        let mut body = ask();
        body["weir"] = json!({"user": format!("u-{}", n % 2), "metadata": {"note": "a \"b\"\nc"}});
        assert_eq!(desk.chat(&body).await.status, 200);
    }
    patiently("the records", desk.app().recorder.flush()).await;
    desk
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn calls_are_counted_reported_and_forgotten() {
    let desk = filled(4).await;
    assert_eq!(
        weir(&desk, &["calls", "count", "user:u-1", "--json"]).await.json(),
        json!({"calls": 2, "complete": true})
    );
    assert_eq!(weir(&desk, &["calls", "count"]).await.out, "4\n");

    let table = weir(&desk, &["report", "calls,cost", "--by", "user", "--from", "-1h"]).await;
    assert!(table.ok && table.out.starts_with("USER  CALLS  COST\n"), "{} {}", table.out, table.err);
    assert!(table.out.contains("u-0   2      $0.0"), "{}", table.out);
    let report = weir(&desk, &["report", "calls", "-q", "user:u-0", "--json"]).await.json();
    assert_eq!(report["data"][0]["calls"], 2);
    let wrong = weir(&desk, &["report", "speed"]).await;
    assert!(!wrong.ok && wrong.err.contains("there is no measure `speed`"), "{}", wrong.err);

    let gone = weir(&desk, &["records", "forget", "--user", "u-0", "--json"]).await.json();
    assert_eq!(gone, json!({"user": "u-0", "deleted_calls": 2}));
    assert_eq!(weir(&desk, &["calls", "count"]).await.out, "2\n");
    assert!(weir(&desk, &["records", "compact", "--json"]).await.json()["freed_bytes"].is_u64());
    let outbox = weir(&desk, &["outbox", "status"]).await;
    assert_eq!(
        outbox.out,
        "records go straight into the embedded store: nothing waits\n\
         shed      0 bodies, 0 previews, 0 successes, 0 rows\n"
    );
    assert!(weir(&desk, &["outbox", "poisoned", "--json"]).await.json()["data"].is_array());
}

#[tokio::test]
async fn every_command_tells_what_it_takes() {
    let desk = Desk::open().await;
    let all = weir(&desk, &["--help"]).await;
    let listed = all.out.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names: Vec<&str> = listed.map_while(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10, "{}", all.out);
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = weir(&desk, &[name, "--help"]).await;
        assert!(help.ok && help.out.contains("Usage:"), "{name}: {}", help.err);
    }
}

#[tokio::test]
async fn a_version_is_released_and_rolled_back_from_a_terminal() {
    let desk = Desk::open().await;
    for words in ["one", "two", "three"] {
        desk.publish("a", json!({"messages": [{"role": "system", "content": words}]})).await;
    }
    assert!(weir(&desk, &["label", "move", "a", "production", "1", "--expect", "0"]).await.ok);
    let proposed = weir(&desk, &["release", "propose", "a", "production", "2", "--note", "better"]).await;
    assert!(proposed.ok && proposed.err.contains("a@2 for `production` is approved"), "{}", proposed.err);
    let id = proposed.out.trim();
    let released = weir(&desk, &["release", "release", id]).await;
    assert!(released.ok && released.err.contains("is released"), "{}", released.err);
    let list = weir(&desk, &["release", "list", "--state", "released"]).await;
    assert!(list.ok && list.out.contains(id) && list.out.contains("100 %"), "{} {}", list.out, list.err);
    assert_eq!(weir(&desk, &["release", "show", id, "--json"]).await.json()["state"], "released");

    let ramped =
        ["release", "propose", "a", "production", "3", "--ramp", "10,100", "--every", "1h", "--json"];
    let ramped = weir(&desk, &ramped).await.json();
    let id = ramped["id"].as_str().unwrap();
    let begun = weir(&desk, &["release", "release", id]).await;
    assert!(begun.ok && begun.err.contains("is ramping at 10 %"), "{}", begun.err);
    assert!(weir(&desk, &["label", "rollback", "a", "production"]).await.ok, "takes the ramp back");
    assert!(weir(&desk, &["label", "rollback", "a", "production", "--reason", "wrong answers"]).await.ok);
    let labels = weir(&desk, &["label", "list", "a"]).await;
    assert!(labels.ok && labels.out.contains("production  1 "), "{} {}", labels.out, labels.err);
    let history = weir(&desk, &["label", "history", "a", "production"]).await;
    assert!(history.ok && history.out.contains("wrong answers"), "{} {}", history.out, history.err);

    let policy = [
        "label",
        "policy",
        "production",
        "--approvals",
        "1",
        "--after",
        "staging",
        "--after-hours",
        "2",
        "--json",
    ];
    assert_eq!(weir(&desk, &policy).await.json()["after_label"], json!({"label": "staging", "hours": 2}));
    let refused = weir(&desk, &["label", "move", "a", "production", "3"]).await;
    assert!(!refused.ok && refused.err.contains("takes 1 approval:"), "{}", refused.err);
    assert_eq!(
        weir(&desk, &["label", "policy", "production", "--reset", "--json"]).await.json()["approvals"],
        0
    );
    let frozen = ["label", "policy", "production", "--freeze", "2020-01-01T00:00:00Z..=the sale"];
    let frozen = weir(&desk, &[&frozen[..], &["--contract-check", "true", "--json"]].concat()).await.json();
    assert_eq!(
        (&frozen["freeze"][0]["reason"], &frozen["contract_check"]),
        (&json!("the sale"), &json!(true))
    );
    let refused = weir(&desk, &["label", "move", "a", "production", "3"]).await;
    assert!(!refused.ok && refused.err.contains("the sale"), "{}", refused.err);
    assert!(weir(&desk, &["label", "policy", "production", "--reset"]).await.ok);
    let stale = weir(&desk, &["label", "remove", "a", "production", "--expect", "3"]).await;
    assert!(!stale.ok && stale.err.contains("points at version 1"), "{}", stale.err);
    assert!(weir(&desk, &["label", "remove", "a", "production", "--expect", "1"]).await.ok);
    assert!(!weir(&desk, &["label", "list", "a"]).await.out.contains("production"));
}

#[tokio::test]
async fn an_experiment_is_run_from_a_terminal() {
    let desk = Desk::open().await;
    for words in ["one", "two"] {
        desk.publish(
            "a",
            json!({"messages": [{"role": "system", "content": words}], "model": "gpt-4o-mini"}),
        )
        .await;
    }
    let start =
        ["experiment", "start", "a", "beta", "--arm", "old=1", "--arm", "new=2:3", "--exclude-users", "bot"];
    let prepared = weir(&desk, &[&start[..], &["--prepare"]].concat()).await;
    assert!(prepared.ok && prepared.err.contains("is stopped, started 0 times"), "{}", prepared.err);
    let running = weir(&desk, &start).await;
    assert!(running.ok && running.err.contains("`a/beta` is running, started 1 times"), "{}", running.err);
    for user in 0..20 {
        let body = json!({"prompt": {"id": "a@beta"}, "weir": {"user": format!("user-{user}")}});
        assert_eq!(desk.chat(&body).await.status, 200);
    }
    patiently("the records", desk.app().recorder.flush()).await;
    let shown = weir(&desk, &["experiment", "show", "a", "beta"]).await;
    assert!(shown.ok && shown.out.contains("a/beta is running by user, start 1"), "{}", shown.out);
    let seen = weir(&desk, &["experiment", "show", "a", "beta", "--json"]).await.json();
    assert_eq!((&seen["exposure"]["calls"], &seen["exclude"]["users"]), (&json!(20), &json!(["bot"])));
    assert!(weir(&desk, &["experiment", "stop", "a", "beta"]).await.ok);
    let moved = weir(&desk, &["label", "move", "a", "beta", "2"]).await;
    assert!(moved.ok, "nothing is in the way any more: {}", moved.err);
    assert!(weir(&desk, &["experiment", "remove", "a", "beta"]).await.ok);
    assert!(!weir(&desk, &["experiment", "show", "a", "beta"]).await.ok);
}

#[tokio::test]
async fn a_trace_is_drawn_from_its_id_or_a_calls() {
    let desk = filled(1).await;
    let call = desk.get("/calls").await.json()["data"][0].clone();
    for id in [&call["trace_id"], &call["id"]] {
        let drawn = weir(&desk, &["trace", id.as_str().unwrap()]).await;
        assert!(drawn.ok && drawn.out.contains("call  chat_completions"), "{} {}", drawn.out, drawn.err);
        assert!(drawn.out.contains(call["id"].as_str().unwrap()), "{}", drawn.out);
    }
    let json = weir(&desk, &["trace", call["id"].as_str().unwrap(), "--json"]).await.json();
    assert_eq!(json["calls"], 1);
}

#[tokio::test]
async fn an_export_is_whole_and_goes_on_after_it_broke() {
    let desk = filled(30).await;
    let folder = tempfile::tempdir().unwrap();
    for format in ["jsonl", "csv"] {
        let file = folder.path().join(format!("calls.{format}"));
        let part = folder.path().join(format!("calls.{format}.part"));
        let words = ["export", "--format", format, "-o", file.to_str().unwrap()];
        let said = weir(&desk, &words).await;
        assert!(said.ok && said.err.contains("30 calls exported"), "{}", said.err);
        assert!(!part.exists());
        let whole = text(&file);
        assert!(!whole.contains("weir_export"), "the receipt is not part of the file");

        break_off(&file, &whole, &json!({"q": "", "format": format}));
        let said = weir(&desk, &[&words[..], &["--resume"]].concat()).await;
        assert!(said.ok && said.err.contains("30 calls exported"), "{}", said.err);
        assert!(text(&file) == whole, "{format}: not the same after going on");
        assert!(!part.exists());

        let out = weir(&desk, &["export", "user:u-1", "--format", format]).await;
        let headings = usize::from(format == "csv");
        let rows = if format == "csv" {
            csv::ReaderBuilder::new().has_headers(false).from_reader(out.out.as_bytes()).records().count()
        } else {
            out.out.lines().count()
        };
        assert_eq!(rows, 15 + headings, "{format}");
    }
    let refused = weir(&desk, &["export", "colour:red"]).await;
    assert!(!refused.ok && refused.err.contains("there is no field `colour`"), "{}", refused.err);
}

/// Leaves an export behind as one that broke off after two thirds.
fn break_off(file: &Path, whole: &str, begun: &Value) {
    let cut: String = whole.chars().take(whole.chars().count() * 2 / 3).collect();
    std::fs::write(file.with_added_extension("part"), cut).unwrap();
    std::fs::write(file.with_added_extension("part.json"), begun.to_string()).unwrap();
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn only_the_same_export_goes_on_and_with_the_times_it_began_with() {
    let desk = filled(9).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let part = folder.path().join("calls.jsonl.part");
    let with = |words: &[&'static str]| [&["export", "-o", file.to_str().unwrap()][..], words].concat();
    assert!(weir(&desk, &with(&[])).await.ok);
    let whole = text(&file);
    // It was begun at a time when `-30d` was this far back.
    let begun = json!({"q": "", "format": "jsonl", "from": "-30d", "from_time": "2999-01-01T00:00:00Z"});
    break_off(&file, &whole, &begun);
    let left = text(&part);
    for other in
        [&["user:u-1", "--from", "-30d", "--resume"][..], &["--resume"], &["--from", "-1d", "--resume"]]
    {
        let said = weir(&desk, &with(other)).await;
        assert!(
            !said.ok && said.err.contains("was begun with `'' --format jsonl --from -30d`"),
            "{}",
            said.err
        );
        assert!(text(&part) == left && !file.exists());
    }
    let same = weir(&desk, &with(&["--from", "-30d", "--resume"])).await;
    assert!(same.ok && text(&file).len() < whole.len(), "nothing was called after 2999: {}", same.err);

    std::fs::write(&part, left).unwrap();
    let unsure = weir(&desk, &with(&["--resume", "--force"])).await;
    assert!(!unsure.ok && unsure.err.contains("does not say what"), "{}", unsure.err);
}

#[tokio::test]
async fn an_export_leaves_what_is_there_and_nothing_where_it_was_refused() {
    let desk = filled(3).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let part = folder.path().join("calls.jsonl.part");
    let with = |words: &[&'static str]| [&["export", "-o", file.to_str().unwrap()][..], words].concat();
    let refused = weir(&desk, &with(&["tga:checkout"])).await;
    assert!(!refused.ok && refused.err.starts_with("weir: there is no field `tga`"), "{}", refused.err);
    assert!(!refused.err.contains("--resume"), "{}", refused.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    std::fs::write(&file, "mine").unwrap();
    let kept = weir(&desk, &with(&[])).await;
    assert!(!kept.ok && kept.err.contains("--force") && text(&file) == "mine", "{}", kept.err);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&part, "mine").unwrap();
    let kept = weir(&desk, &with(&[])).await;
    assert!(!kept.ok && kept.err.contains("--resume") && text(&part) == "mine", "{}", kept.err);
    std::fs::write(&file, "mine").unwrap();
    assert!(weir(&desk, &with(&["--force"])).await.ok);
    assert_eq!(text(&file).lines().count(), 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the file is left");
}

/// Puts an outbox with rows for ClickHouse into a data folder.
fn leave_outbox(folder: &Path, rows: usize) {
    let settings =
        OutboxSettings { reserve_bytes: 1 << 16, ..OutboxSettings::at(folder.join("outbox.sqlite")) };
    let (outbox, _) = Outbox::open(&settings, &Clock::system()).unwrap();
    let mut batch = Batch::new(1);
    (0..rows).for_each(|_| batch.row(Table::Calls, |bytes| bytes.extend_from_slice(b"row")));
    outbox.commit(batch).unwrap();
    outbox.close();
}

#[tokio::test]
async fn rows_that_wait_are_never_said_not_to() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    leave_outbox(folder.path(), 3);
    // No gateway answers there, and the default configuration names no ClickHouse.
    let words = ["outbox", "drain", "--admin-url", "http://127.0.0.1:9", "--data-dir"];
    let said = weir(&desk, &[&words[..], &[folder.path().to_str().unwrap()]].concat()).await;
    assert!(!said.ok && said.err.contains("3 rows wait in") && said.err.contains("--config"), "{}", said.err);
    let nowhere = folder.path().join("none");
    let unsure = weir(&desk, &[&words[..], &[nowhere.to_str().unwrap()]].concat()).await;
    assert!(!unsure.ok && unsure.err.contains("there is no data folder"), "{} {}", unsure.out, unsure.err);
}

#[tokio::test]
async fn a_gateway_tells_of_rows_that_an_earlier_configuration_left_in_the_outbox() {
    let stopped = Harness::start().await.stop().await;
    leave_outbox(stopped.folder(), 5);
    let desk = Desk::of(stopped.start_again().await).await;
    let ready = Call::new(desk.admin_address(), "GET", "/readyz").send().await;
    assert!(
        ready.text().contains("5 rows wait in") && ready.text().contains("drain --config"),
        "{}",
        ready.text()
    );
    let status = weir(&desk, &["outbox", "status"]).await;
    assert!(
        status.out.contains("waiting   5 rows") && status.out.contains("drain --config"),
        "{}",
        status.out
    );
    let drained = weir(&desk, &["outbox", "drain"]).await;
    assert!(!drained.ok && drained.err.contains("5 rows still wait"), "{} {}", drained.out, drained.err);
}

#[tokio::test]
async fn calls_left_in_the_embedded_store_are_told_of_after_a_switch() {
    let desk = filled(4).await;
    let records = desk.app().config.data_dir.clone();
    let mut config = config::load(None, &BTreeMap::new(), &CommandLine::default()).unwrap();
    config.data_dir = records;
    config.analytics_url = Secret::new("http://weir:secret@127.0.0.1:9/weir");
    let told = Leftovers::of(&config).notices();
    assert!(
        matches!(&told[..], [one] if one.contains("holds about 4 calls that are not in ClickHouse")),
        "{told:?}"
    );
    config.data_dir = "/nowhere".into();
    assert_eq!(Leftovers::of(&config).notices(), Vec::<String>::new());
}

#[tokio::test]
async fn prices_that_the_gateway_would_refuse_are_not_sound() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let (prices, file) = (folder.path().join("over.json"), folder.path().join("weir.toml"));
    std::fs::write(&prices, r#"[{"id": "x", "outptu": 1}]"#).unwrap();
    std::fs::write(&file, format!("[prices]\noverrides = {:?}\n", prices.to_str().unwrap())).unwrap();
    let checked = weir(&desk, &["check", "--config", file.to_str().unwrap()]).await;
    assert!(
        !checked.ok && checked.err.contains("the prices in") && checked.err.contains("are wrong"),
        "{}",
        checked.err
    );
    assert!(!checked.out.contains("sound"), "{}", checked.out);
}

#[tokio::test]
async fn an_export_that_breaks_off_never_looks_whole() {
    let desk = filled(3).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    // Somebody between the gateway and the command who ends answers early, and politely.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let row = format!("{}\n", desk.get("/calls").await.json()["data"][0]);
    let polite = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 2_048];
        let read = socket.read(&mut head).await.unwrap();
        assert!(read > 0);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{row}{row}", 2 * row.len());
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    let url = format!("http://{address}");
    let said = weir(&desk, &["export", "-o", file.to_str().unwrap(), "--admin-url", &url]).await;
    polite.abort();
    assert!(
        !said.ok && said.err.contains("receipt is missing") && said.err.contains("--resume"),
        "{}",
        said.err
    );
    assert!(!file.exists() && folder.path().join("calls.jsonl.part").exists());
}

#[tokio::test]
async fn databases_are_migrated_ahead_and_looked_at_before() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let pending = weir(&desk, &["migrate", "--data-dir", dir, "--dry-run", "--json"]).await.json();
    assert_eq!((&pending["registry"][0], &pending["dry_run"]), (&json!("0001_registry"), &json!(true)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a dry run leaves nothing behind");
    let done = weir(&desk, &["migrate", "--data-dir", dir, "--json"]).await.json();
    assert_eq!(done["registry"], pending["registry"]);
    let again = weir(&desk, &["migrate", "--data-dir", dir]).await;
    assert!(again.ok && again.out.contains("registry  up to date"), "{} {}", again.out, again.err);
    let drained = weir(&desk, &["outbox", "drain", "--data-dir", dir]).await;
    assert!(drained.ok && drained.out.contains("nothing waits"), "{} {}", drained.out, drained.err);
}

#[tokio::test]
async fn projects_and_tokens_are_made_from_a_terminal() {
    let desk = Desk::open().await;
    let made = weir(&desk, &["project", "create", "shop", "--description", "The shop"]).await;
    assert!(made.ok, "{}", made.err);
    let listed = weir(&desk, &["project", "list"]).await.out;
    assert_eq!(listed.lines().last().unwrap(), "shop     bootstrap  The shop", "{listed}");

    let create =
        ["token", "create", "ci", "--role", "editor", "--folders", "a,b/c", "--project", "shop", "--json"];
    let token = weir(&desk, &create).await.json();
    let said = json!([token["project"], token["folders"], token["labels"], token["role"]]);
    assert_eq!(said, json!(["shop", ["a", "b/c"], null, "editor"]));
    let secret = token["secret"].as_str().unwrap();
    let key = weir(&desk, &["key", "create", "till", "--project", "shop", "--json"]).await.json();
    assert_eq!(key["project"], "shop");
    assert_eq!(
        weir(&desk, &["key", "list", "--project", "shop", "--json"]).await.json()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let tokens = weir(&desk, &["token", "list"]).await.out;
    let row = tokens.lines().find(|line| line.contains("shop")).unwrap();
    assert!(row.ends_with("shop     a, b/c   all     active") && !tokens.contains(secret), "{tokens}");

    let busy = weir(&desk, &["project", "archive", "shop"]).await;
    assert!(!busy.ok && busy.err.contains("still has 1 keys, 1 tokens"), "{}", busy.err);
    assert!(weir(&desk, &["token", "revoke", token["id"].as_str().unwrap()]).await.ok);
    assert!(weir(&desk, &["key", "revoke", key["id"].as_str().unwrap(), "--project", "shop"]).await.ok);
    assert!(weir(&desk, &["project", "archive", "shop"]).await.ok);
    assert!(weir(&desk, &["project", "list", "--archived"]).await.out.contains("shop"));
    assert!(weir(&desk, &["project", "restore", "shop"]).await.ok);
}
