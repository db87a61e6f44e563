//! The cache keeps what is used, stays within its bound, and forgets digests when a prompt changes.

use serde_json::{Map, json};
use vocab::{Clock, SemVer, Time};

use super::*;
use crate::prompts::versions::StoredVersion;

fn prompt(revision: i64) -> Prompt {
    Prompt {
        id: Id::new(&Clock::system()),
        project: "default".into(),
        name: "a".parse().unwrap(),
        kind: None,
        description: String::new(),
        tags: Vec::new(),
        aliases: Vec::new(),
        labels: crate::Labels::default(),
        splits: crate::assignment::Splits::default(),
        latest: None,
        created_at: Time(0),
        updated_at: Time(0),
        archived_at: None,
        revision,
    }
}

fn version(number: u32, text_bytes: usize) -> Arc<Version> {
    let stored = StoredVersion {
        number,
        digest: "".into(),
        semver: SemVer::FIRST,
        impact: None,
        impact_reasons: Vec::new(),
        parent: None,
        author: String::new(),
        commit_message: None,
        created_at: Time(0),
        content: serde_json::from_value(json!({"text": "x".repeat(text_bytes)})).unwrap(),
        included: crate::content::Included::new(),
        floating: crate::content::Floating::new(),
        metadata: Map::new(),
        examples: Vec::new(),
    };
    Arc::new(Version::compile(stored, &crate::content::Standing::default()).unwrap())
}

#[test]
fn what_is_used_stays_and_the_rest_makes_room() {
    let (cache, prompt) = (VersionCache::default(), prompt(1));
    let megabyte = |number| version(number, 1 << 20);
    for number in 1..=100 {
        cache.put(&prompt, Selector::Number(number), &megabyte(number));
        assert!(cache.get(&prompt, &Selector::Number(1)).is_some(), "used all the time, after {number}");
        let kept = cache.lock();
        let bytes: usize = kept.kept.values().map(|kept| kept.bytes).sum();
        assert!(bytes <= LIMIT_BYTES && bytes == kept.bytes, "{bytes} bytes after {number}");
        assert_eq!(kept.kept.len(), kept.order.len());
    }
    assert!(cache.get(&prompt, &Selector::Number(2)).is_none());
    assert!(cache.get(&prompt, &Selector::Number(100)).is_some());
}

#[test]
fn what_a_digest_named_is_forgotten_when_the_prompt_changes() {
    let (cache, mut prompt) = (VersionCache::default(), prompt(1));
    let digest = Selector::Digest("abcdef".into());
    cache.put(&prompt, digest.clone(), &version(1, 10));
    cache.put(&prompt, Selector::Number(1), &version(1, 10));
    assert!(cache.get(&prompt, &digest).is_some());
    prompt.revision = 2;
    assert!(cache.get(&prompt, &digest).is_none());
    assert!(cache.get(&prompt, &Selector::Number(1)).is_some());
}
