//! Who gets what: spread as weights say, the same everywhere, and no other by an edit.

use serde_json::json;
use vocab::Time;

use super::*;

/// Units of the chi-square test.
const UNITS: usize = 1_000_000;

fn trial(weights: &[u32]) -> Trial {
    let arms = weights.iter().enumerate().map(|(at, weight)| Arm {
        name: format!("arm-{at}").into(),
        version: at as u32 + 1,
        weight: *weight,
    });
    Trial {
        name: "support/reply/production".into(),
        salt: "support/reply/production1".into(),
        unit: Unit::User,
        arms: arms.collect(),
        exclude: Exclusion::default(),
    }
}

fn nothing() -> &'static Map<String, Value> {
    static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    &NOTHING
}

fn call(number: u32) -> Units<'static> {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    Units { call: Some(Id::from_bytes(id)), user: None, session: None, trace: None, metadata: nothing() }
}

fn by(user: &str) -> Units<'_> {
    Units { user: Some(user), ..call(0) }
}

fn version(trial: &Trial, units: &Units<'_>) -> u32 {
    Split::Experiment(trial.clone()).assign(Some(units), true).version.unwrap()
}

/// How far counts are from what the weights say: chi-square.
fn chi_square(trial: &Trial, counts: &[u64]) -> f64 {
    let all: u64 = trial.arms.iter().map(|arm| u64::from(arm.weight)).sum();
    let arms = trial.arms.iter().zip(counts);
    arms.map(|(arm, count)| {
        let expected = UNITS as f64 * f64::from(arm.weight) / all as f64;
        (*count as f64 - expected).powi(2) / expected
    })
    .sum()
}

#[test]
fn a_million_units_fall_as_the_weights_say() {
    // Each bound is chi-square's at p = 0.001 for one degree of freedom less than there are arms.
    let bounds = [(&[1, 1][..], 10.83), (&[9, 1], 10.83), (&[1, 2, 3, 4], 16.27), (&[97, 1, 1, 1], 16.27)];
    let mut dealt: Vec<_> =
        bounds.iter().map(|(weights, bound)| (trial(weights), vec![0_u64; weights.len()], *bound)).collect();
    for number in 0..UNITS {
        let place = place(&dealt[0].0.salt, format!("user-{number}").as_bytes());
        for (trial, counts, _) in &mut dealt {
            counts[trial.arm_at(place).unwrap().version as usize - 1] += 1;
        }
    }
    for (trial, counts, bound) in dealt {
        let far = chi_square(&trial, &counts);
        assert!(far < bound, "{counts:?} is {far:.2} from what it should be");
    }
}

#[test]
fn starting_again_deals_anew_and_independently() {
    let (first, mut second) = (trial(&[1, 1]), trial(&[1, 1]));
    second.salt = "support/reply/production2".into();
    let users = (0..40_000).map(|number| format!("user-{number}"));
    let same = users.filter(|user| version(&first, &by(user)) == version(&second, &by(user))).count();
    assert!((19_500..20_500).contains(&same), "{same}");
}

#[test]
fn a_unit_stays_where_it_was_on_every_node_and_after_every_restart() {
    // Written down, so that no change of this code moves anybody in a running experiment.
    let trial = trial(&[1, 1, 2]);
    let seen = ["ann", "bob", "cyd", "dan", "größe", ""].map(|user| version(&trial, &by(user)));
    assert_eq!(seen, GOLDEN);
    assert_eq!(place("salt", b"unit"), 0x06a2_380f_ecdb_d214);
    let stored = serde_json::to_string(&Split::Experiment(trial.clone())).unwrap();
    assert_eq!(serde_json::from_str::<Split>(&stored).unwrap(), Split::Experiment(trial));
}

const GOLDEN: [u32; 6] = [1, 3, 2, 3, 1, 3];

#[test]
fn edits_that_keep_the_weights_move_nobody() {
    let before = trial(&[1, 3]);
    let mut after = trial(&[250, 750]);
    after.exclude.users.insert("somebody".into());
    after.arms[1].name = "renamed".into();
    for user in (0..20_000).map(|number| format!("user-{number}")) {
        assert_eq!(version(&before, &by(&user)), version(&after, &by(&user)), "{user}");
    }
}

#[test]
fn an_arm_that_grows_keeps_whom_it_had() {
    let users: Vec<_> = (0..20_000).map(|number| format!("user-{number}")).collect();
    let (small, large) = (trial(&[1, 9]), trial(&[3, 7]));
    let stayed = |user: &&String| version(&small, &by(user)) == 1 && version(&large, &by(user)) != 1;
    assert_eq!(users.iter().filter(stayed).count(), 0);
}

#[test]
fn a_ramp_that_grows_keeps_whom_it_had_and_ends_with_all() {
    let release = Id::at(Time(1_800_000_000_000_000));
    let at = |percent| Split::Ramp(RampShare { release, version: 2, percent });
    let users: Vec<_> = (0..20_000).map(|number| format!("user-{number}")).collect();
    let served = |percent| -> BTreeSet<&String> {
        let split = at(percent);
        users.iter().filter(|user| split.assign(Some(&by(user)), true).version == Some(2)).collect()
    };
    let steps = [1, 10, 50, 100].map(served);
    assert!(steps.windows(2).all(|pair| pair[0].is_subset(&pair[1])));
    assert!((120..280).contains(&steps[0].len()), "{}", steps[0].len());
    assert!((9_700..10_300).contains(&steps[2].len()), "{}", steps[2].len());
    assert_eq!(steps[3].len(), users.len());
    assert!(at(0).assign(Some(&by("ann")), true).version.is_none());
}

#[test]
fn a_ramp_goes_by_user_then_session_then_call() {
    let split = Split::Ramp(RampShare { release: Id::at(Time(0)), version: 2, percent: 50 });
    let serves = |units: &Units<'_>| split.assign(Some(units), true).version.is_some();
    for number in 0..100 {
        let (user, session) = (format!("user-{number}"), format!("session-{number}"));
        let whole = Units { session: Some(&session), ..by(&user) };
        assert_eq!(serves(&whole), serves(&by(&user)), "{user}");
        let in_session = Units { session: Some(&session), ..call(number) };
        assert_eq!(serves(&in_session), serves(&Units { call: Some(Id::from_bytes([7; 16])), ..in_session }));
    }
    let alone = (0..1_000).filter(|number| serves(&call(*number))).count();
    assert!((420..580).contains(&alone), "{alone}");
}

#[test]
fn what_a_call_does_not_say_is_assigned_by_the_call_and_flagged() {
    let mut trial = trial(&[1, 1]);
    let metadata = json!({"tenant": "acme", "seat": 7, "none": null});
    let metadata = metadata.as_object().unwrap();
    let named = Units { session: Some("s"), trace: Some([0xab; 16]), metadata, ..by("ann") };
    for (word, flagged) in [
        ("user", "user"),
        ("session", "session"),
        ("trace", "trace"),
        ("request", "request"),
        ("metadata.tenant", "metadata.tenant"),
        ("metadata.seat", "metadata.seat"),
        ("metadata.none", "none"),
        ("metadata.other", "none"),
    ] {
        trial.unit = word.parse().unwrap();
        let seen = trial.assign(&named).unwrap().exposure.unwrap();
        assert_eq!((&*seen.experiment, &*seen.unit), ("support/reply/production", flagged), "{word}");
        assert_eq!(trial.unit.to_string(), word);
    }
    trial.unit = Unit::User;
    let arms: BTreeSet<_> = (0..50).map(|number| trial.assign(&call(number)).unwrap().version).collect();
    assert_eq!(arms.len(), 2, "calls without a user are dealt one by one");
    for wrong in ["", "metadata.", "User", "tenant"] {
        assert!(wrong.parse::<Unit>().is_err(), "{wrong}");
    }
}

#[test]
fn whoever_is_excluded_gets_what_the_label_points_at() {
    let mut trial = trial(&[1, 1]);
    trial.exclude = serde_json::from_value(json!({
        "users": ["ann"], "metadata": {"tier": ["internal", "test"], "beta": ["true"]},
    }))
    .unwrap();
    let split = Split::Experiment(trial);
    let metadata = |value: Value| value.as_object().unwrap().clone();
    let [internal, beta, gold] =
        [json!({"tier": "internal"}), json!({"beta": true}), json!({"tier": "gold"})].map(metadata);
    for units in [by("ann"), Units { metadata: &internal, ..by("bob") }, Units { metadata: &beta, ..call(1) }]
    {
        let assigned = split.assign(Some(&units), true);
        assert_eq!(assigned, Assigned { version: None, exposure: None });
        assert_eq!(split.assign(Some(&units), false).version, Some(1), "the label points at nothing");
    }
    assert!(split.assign(Some(&Units { metadata: &gold, ..by("bob") }), true).exposure.is_some());
    let reading = |user| Units { call: None, user, ..call(1) };
    for looks in [None, Some(&reading(None))] {
        assert_eq!(split.assign(looks, true), Assigned { version: None, exposure: None }, "they only look");
    }
    assert!(split.assign(Some(&reading(Some("bob"))), true).exposure.is_some(), "bob reads what bob gets");
}
