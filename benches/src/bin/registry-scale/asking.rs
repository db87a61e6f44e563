//! Questions put to the registry, and how long each took.

use std::time::Duration;

use registry::{LabelChange, NewVersion, Paging, PromptFilter, Registry, Role, Who};
use vocab::{Clock, Limit};

use crate::filling::{Many, name};
use crate::memory;

const PROJECT: &str = "default";
/// Prompts that are called again and again.
const HOT: u32 = 1_000;

pub(crate) async fn ask(registry: &Registry, many: &Many, tries: usize, clock: &Clock) -> anyhow::Result<()> {
    let hot = HOT.min(many.prompts);
    resolve(registry, "resolve, first call", many.prompts - hot..many.prompts, clock).await?;
    for _ in 0..2 {
        resolve(registry, "resolve, again", many.prompts - hot..many.prompts, clock).await?;
    }
    resolve(registry, "resolve, every prompt once", 0..many.prompts, clock).await?;
    let all = PromptFilter::default();
    let folder = PromptFilter { folder: Some("team-500".to_owned()), ..PromptFilter::default() };
    let saying = |text: &str| PromptFilter { text: Some(text.to_owned()), ..PromptFilter::default() };
    for (what, filter) in [
        ("list, first page", &all),
        ("list, a folder", &folder),
        ("search, a common word", &saying("support")),
        ("search, one prompt", &saying(&format!("case {}.", many.prompts / 2))),
        ("search, none", &saying("zebra")),
    ] {
        list(registry, (what, filter), tries, clock).await?;
    }
    moves(registry, many, tries, clock).await
}

async fn resolve(
    registry: &Registry,
    what: &str,
    prompts: std::ops::Range<u32>,
    clock: &Clock,
) -> anyhow::Result<()> {
    let references = prompts.map(|prompt| name(prompt).parse()).collect::<Result<Vec<_>, _>>()?;
    let before = clock.now();
    for reference in &references {
        registry.resolve(PROJECT, reference).await?;
    }
    let took_us = (clock.now().micros() - before.micros()) as f64;
    let (each_us, memory) = (took_us / references.len() as f64, memory("VmRSS:")?);
    println!("{what}: {each_us:.2} µs on average of {}, then {memory} MiB", references.len());
    Ok(())
}

async fn list(
    registry: &Registry,
    (what, filter): (&str, &PromptFilter),
    tries: usize,
    clock: &Clock,
) -> anyhow::Result<()> {
    let paging = Paging { limit: Limit::new(100).unwrap_or_default(), cursor: None };
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..tries {
        let before = clock.now();
        found = registry.list_prompts(PROJECT, filter, &paging).await?.data.len();
        times.push(clock.now().micros() - before.micros());
    }
    print(what, &format!("{found} found"), times);
    Ok(())
}

/// A label moved until this node serves it, and a version published.
async fn moves(registry: &Registry, many: &Many, tries: usize, clock: &Clock) -> anyhow::Result<()> {
    let who = Who::new(Role::Admin, "bench");
    let (mut moved, mut published) = (Vec::new(), Vec::new());
    for place in 0..tries as u32 {
        let prompt = name(place % many.prompts).parse()?;
        let change = LabelChange::of("production".parse()?).onto(1 + place % 2);
        let before = clock.now();
        registry.move_label(PROJECT, &prompt, change, &who).await?;
        moved.push(clock.now().micros() - before.micros());
        let content = serde_json::from_value(
            serde_json::json!({"messages": [{"role": "user", "content": before.to_string()}]}),
        )?;
        let before = clock.now();
        registry.publish(PROJECT, &prompt, NewVersion::of(content), &who).await?;
        published.push(clock.now().micros() - before.micros());
    }
    print("move a label, until it serves", "1 moved", moved);
    print("publish a version, until it serves", "1 made", published);
    Ok(())
}

/// A label moved on one node until another serves it.
pub(crate) async fn reach(
    one: &Registry,
    other: &Registry,
    tries: usize,
    clock: &Clock,
) -> anyhow::Result<()> {
    let who = Who::new(Role::Admin, "bench");
    let watching = other.clone();
    let watch = tokio::spawn(async move { watching.watch().await });
    let (prompt, reference) = (name(0).parse()?, name(0).parse()?);
    let mut times = Vec::new();
    for place in 0..tries as u32 {
        let version = 3 + place % 2;
        let change = LabelChange::of("production".parse()?).onto(version);
        let before = clock.now();
        one.move_label(PROJECT, &prompt, change, &who).await?;
        while other.resolve(PROJECT, &reference).await?.version.number != version {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        times.push(clock.now().micros() - before.micros());
    }
    watch.abort();
    print("move a label, until another node serves it", "1 moved", times);
    Ok(())
}

fn print(what: &str, found: &str, mut times: Vec<i64>) {
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().unwrap_or_default() as f64 / 1e3;
    let (median, longest) = (at(times.len() / 2), at(times.len().saturating_sub(1)));
    println!("{what}: {median:.2} ms, at most {longest:.2} ms ({found})");
}
