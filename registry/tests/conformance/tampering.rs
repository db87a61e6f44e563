//! Cases about an audit that somebody wrote over in the database: it says where, and an anchor shows what it cannot.

use registry::audit::{Finding, Verifier};
use registry::{AuditFilter, AuditHead};

use crate::bench::Bench;

const KEEP: &str =
    "CREATE TABLE kept AS SELECT * FROM audit; CREATE TABLE kept_head AS SELECT * FROM audit_head";
const RESTORE: &str = "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;
                       DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head";
/// The head is moved back to the entry that is the last one now.
const HEAD_FOLLOWS: &str = "UPDATE audit_head SET number = (SELECT MAX(a.number) FROM audit a),
                           hash = (SELECT a.hash FROM audit a ORDER BY a.number DESC LIMIT 1)";

/// What holding the audit against itself, and against a head that was kept elsewhere, finds.
async fn findings(it: &Bench, anchor: Option<&AuditHead>) -> Vec<Finding> {
    let (head, last) = it.registry.audit_head().await.unwrap();
    let entries = it.registry.audit_after(&AuditFilter::default(), 0, last, 1_000).await.unwrap();
    let mut verifier = Verifier::anchored(anchor.into_iter().cloned().collect());
    for entry in &entries {
        verifier.check(entry);
    }
    verifier.finish(Some(&head)).findings
}

/// An audit of 21 entries, of which a copy is kept beside it.
async fn filled(it: &Bench) -> AuditHead {
    for number in 0..20 {
        it.say("a", &format!("text {number}")).await;
    }
    it.run(KEEP).await;
    let (head, _) = it.registry.audit_head().await.unwrap();
    assert_eq!(head.number, 21);
    head
}

pub(crate) async fn an_audit_that_was_tampered_with_says_where(it: Bench) {
    filled(&it).await;
    let edited = |number| vec![Finding::Edited { number }];
    let gone = |from, to| vec![Finding::Missing { from, to }];
    let swapped = vec![Finding::Renumbered { number: 7, was: 8 }, Finding::Renumbered { number: 8, was: 7 }];
    let beyond = vec![Finding::BeyondTheHead { head: 20, last: 21 }];
    for (sql, expected) in [
        ("SELECT 1", Vec::new()),
        ("UPDATE audit SET who = 'bob' WHERE number = 7", edited(7)),
        ("UPDATE audit SET role = 'viewer' WHERE number = 7", edited(7)),
        ("UPDATE audit SET action = 'prompt.changed' WHERE number = 7", edited(7)),
        ("UPDATE audit SET target = 'b@1' WHERE number = 7", edited(7)),
        ("UPDATE audit SET at_us = at_us + 1 WHERE number = 21", edited(21)),
        ("UPDATE audit SET project = 'other' WHERE number = 1", edited(1)),
        ("UPDATE audit SET detail = replace(detail, 'patch', 'major') WHERE number = 9", edited(9)),
        ("UPDATE audit SET detail = 'no json', token_id = 'x' WHERE number = 9", edited(9)),
        ("DELETE FROM audit WHERE number = 1", gone(1, 1)),
        ("DELETE FROM audit WHERE number BETWEEN 10 AND 15", gone(10, 15)),
        ("DELETE FROM audit WHERE number > 18", gone(19, 21)),
        ("DELETE FROM audit", gone(1, 21)),
        (
            "UPDATE audit SET number = 999 WHERE number = 7; UPDATE audit SET number = 7 WHERE number = 8;
             UPDATE audit SET number = 8 WHERE number = 999",
            swapped,
        ),
        (
            "UPDATE audit_head SET number = 20, hash = (SELECT a.hash FROM audit a WHERE a.number = 20)",
            beyond,
        ),
    ] {
        it.run(sql).await;
        assert_eq!(findings(&it, None).await, expected, "{sql}");
        it.run(RESTORE).await;
    }
    assert!(findings(&it, None).await.is_empty(), "it was put back as it was");
}

pub(crate) async fn an_end_cut_off_with_its_head_is_found_by_a_head_kept_elsewhere(it: Bench) {
    let kept = filled(&it).await;
    for (sql, from) in
        [("DELETE FROM audit WHERE number > 18", 19), ("DELETE FROM audit WHERE number > 20", 21)]
    {
        it.run(&format!("{sql}; {HEAD_FOLLOWS}")).await;
        assert!(findings(&it, None).await.is_empty(), "in itself it looks whole");
        assert_eq!(findings(&it, Some(&kept)).await, [Finding::Missing { from, to: 21 }], "{sql}");
        it.run(RESTORE).await;
    }
    // What was cut off is written anew: as many entries, which say something else.
    it.run(&format!("DELETE FROM audit WHERE number > 18; {HEAD_FOLLOWS}")).await;
    for number in 0..3 {
        it.say("a", &format!("forged {number}")).await;
    }
    assert!(findings(&it, None).await.is_empty(), "in itself it looks whole");
    assert_eq!(findings(&it, Some(&kept)).await, [Finding::NotTheAnchor { number: 21 }]);
}
