//! Alerts over real calls: judged from what was recorded, told once however many nodes there are, told again when over.

use std::time::Duration;

use gateway::jobs::Jobs;
use registry::Registry;
use serde_json::{Value, json};
use vocab::Clock;

use crate::office::START;
use crate::support::{FakeProvider, Harness, Received, Reply, ask, until};

/// A gateway whose clock stands and whose jobs judge only when told, and a receiver of what it tells.
struct Scene {
    weir: Harness,
    clock: Clock,
    receiver: FakeProvider,
    webhook: String,
}

impl Scene {
    async fn open() -> Self {
        let clock = Clock::manual(START);
        let receiver = FakeProvider::start().await;
        for _ in 0..20 {
            receiver.will(Reply::json(&json!({})));
        }
        let weir = Harness::at(clock.clone(), FakeProvider::start().await, |config| {
            config.webhooks.allow_private_addresses = true;
            // Rules are judged by hand here.
            config.alerts.interval = Duration::from_hours(24);
        })
        .await;
        let hook = json!({"name": "pager", "url": receiver.base_url()});
        let made = weir.admin("POST", "/webhooks").json(&hook).send().await;
        let webhook = made.json()["id"].as_str().unwrap().to_owned();
        Self { weir, clock, receiver, webhook }
    }

    /// Makes a rule that tells the receiver, and returns its path.
    async fn watch(&self, mut rule: Value) -> String {
        rule["name"] = "the rule".into();
        rule["notify"] = json!([{ "webhook": self.webhook }]);
        let made = self.weir.admin("POST", "/alerts").json(&rule).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        format!("/alerts/{}", made.json()["id"].as_str().unwrap())
    }

    /// Calls a model this often; what fails is the caller's fault.
    async fn calls(&self, good: usize, bad: usize) {
        for at in 0..good + bad {
            if at >= good {
                self.weir.provider.will(Reply::error(400, "invalid_request_error", "bad", "no"));
            }
            let answer = self.weir.chat(&ask()).await;
            self.weir.record_of(&answer).await;
        }
        // What is asked about ends before now.
        self.clock.advance(Duration::from_secs(1));
        self.weir.app().store.settle().await.unwrap();
    }

    async fn judge(&self) {
        assert_eq!(self.weir.app().jobs.watch.evaluate_all().await.unwrap(), 1);
    }

    async fn get(&self, path: &str) -> Value {
        self.weir.admin("GET", path).send().await.json()
    }

    /// What the receiver has been told, once it was told this often.
    async fn told(&self, times: usize) -> Vec<Value> {
        self.receiver.arrived(times).await;
        self.receiver.received().iter().map(Received::json).collect()
    }
}

fn errors_above(value: f64) -> Value {
    json!({"kind": "threshold", "measure": "error_rate", "comparison": "above", "value": value, "window": "5m"})
}

#[tokio::test]
async fn errors_fire_once_and_are_over_once() {
    let it = Scene::open().await;
    let alert = it.watch(json!({"condition": errors_above(0.5), "severity": "critical"})).await;
    it.calls(1, 3).await;
    it.judge().await;
    it.judge().await;

    let told = it.told(1).await;
    assert_eq!((&told[0]["type"], &told[0]["data"]["value"]), (&json!("alert.firing"), &json!(0.75)));
    let summary = "[critical] the rule fires: error_rate is 0.75 over 5 min, the limit is above 0.5";
    assert_eq!(told[0]["summary"], summary);
    let shown = it.get(&alert).await;
    assert_eq!((&shown["state"], &shown["states"][0]["reference"]), (&json!("firing"), &json!(0.5)));
    assert!(it.weir.app().metrics.text().contains(r#"weir_alerts_firing{severity="critical"} 1"#));

    it.clock.advance(Duration::from_mins(6));
    it.calls(2, 0).await;
    it.judge().await;
    let told = it.told(2).await;
    assert_eq!((&told[1]["type"], &told[1]["data"]["value"]), (&json!("alert.resolved"), &json!(0.0)));
    assert_ne!(told[0]["id"], told[1]["id"]);
    let history = it.get(&format!("{alert}/history")).await;
    let turns: Vec<_> = history["data"].as_array().unwrap().iter().map(|turn| turn["to"].clone()).collect();
    assert_eq!(turns, ["ok", "firing"]);
    assert_eq!(it.receiver.calls(), 2);
}

// Calls are recorded when they end: by their starts, those that hang for longer than a window were in none.
#[tokio::test]
async fn calls_that_last_longer_than_the_window_count_when_they_end() {
    let it = Scene::open().await;
    it.watch(json!({"condition": errors_above(0.5)})).await;
    let (late, hold) = Reply::error(400, "invalid_request_error", "bad", "no").held();
    it.weir.provider.will(late);
    let asked = ask();
    let (answer, ()) = tokio::join!(it.weir.chat(&asked), async {
        it.weir.provider.arrived(1).await;
        it.clock.advance(Duration::from_mins(9));
        hold.release();
    });
    it.weir.record_of(&answer).await;
    it.clock.advance(Duration::from_secs(1));
    it.weir.app().store.settle().await.unwrap();
    it.judge().await;
    assert_eq!(it.told(1).await[0]["type"], "alert.firing");
}

#[tokio::test]
async fn two_nodes_on_one_registry_tell_once() {
    let it = Scene::open().await;
    it.watch(json!({"condition": errors_above(0.5)})).await;
    it.calls(0, 2).await;
    let app = it.weir.app();
    let registry = Registry::open(app.config.registry_url.expose(), it.clock.clone()).await.unwrap();
    let other = Jobs::new(&app.config, &it.clock, &registry, &app.store, &app.metrics).unwrap();

    for _ in 0..5 {
        let (one, two) = tokio::join!(app.jobs.watch.evaluate_all(), other.watch.evaluate_all());
        assert!((1..=2).contains(&(one.unwrap() + two.unwrap())));
        other.courier.deliver_due().await;
    }

    it.told(1).await;
    let waiting = async || (!registry.has_due_delivery().await.unwrap()).then_some(());
    until("everything to be delivered", waiting).await;
    assert_eq!(it.receiver.calls(), 1);
}

#[tokio::test]
async fn each_model_fires_for_itself_and_only_calls_that_match_count() {
    let it = Scene::open().await;
    let rule =
        json!({"condition": errors_above(0.5), "group_by": ["model"], "q": "user:ann", "min_calls": 2});
    let alert = it.watch(rule).await;
    it.calls(0, 3).await;
    it.judge().await;
    assert_eq!(it.get(&alert).await["states"], json!([]), "nobody named ann called");

    for model in ["gpt-4o", "gpt-4o", "gpt-4o-mini"] {
        it.weir.provider.will(Reply::error(400, "invalid_request_error", "bad", "no"));
        let mut body = ask();
        (body["model"], body["user"]) = (model.into(), "ann".into());
        let answer = it.weir.chat(&body).await;
        it.weir.record_of(&answer).await;
    }
    it.calls(0, 0).await;
    it.judge().await;
    let told = it.told(1).await;
    assert_eq!(told[0]["data"]["group"], json!({"model": "gpt-4o"}), "{told:?}");
    assert_eq!(it.receiver.calls(), 1, "one call is too few to judge");
}

#[tokio::test]
async fn a_change_is_one_against_the_time_before() {
    let it = Scene::open().await;
    let condition =
        json!({"kind": "change", "measure": "calls", "comparison": "above", "value": 100, "window": "5m"});
    it.watch(json!({ "condition": condition })).await;
    it.calls(2, 0).await;
    it.judge().await;
    it.clock.advance(Duration::from_mins(5));
    it.calls(5, 0).await;
    it.judge().await;
    let told = it.told(1).await;
    let data = &told[0]["data"];
    assert_eq!((&data["value"], &data["reference"]), (&json!(5.0), &json!(2.0)));
    let summary = told[0]["summary"].as_str().unwrap();
    assert!(summary.ends_with("(150 %), the limit is above 100 %"), "{summary}");
}

#[tokio::test]
async fn what_was_spent_today_is_held_against_an_amount() {
    let it = Scene::open().await;
    let condition = json!({"kind": "cost", "amount_usd": 0.000_001, "per": "day"});
    it.watch(json!({ "condition": condition })).await;
    it.judge().await;
    it.calls(3, 0).await;
    it.judge().await;
    let told = it.told(1).await;
    assert!(told[0]["data"]["value"].as_f64().unwrap() > 0.000_001, "{told:?}");

    // The next day begins at nothing.
    it.clock.advance(Duration::from_hours(24));
    it.judge().await;
    assert_eq!(it.told(2).await[1]["type"], "alert.resolved");
}

#[tokio::test]
async fn a_muted_alert_is_judged_and_told_when_that_is_over() {
    let it = Scene::open().await;
    let alert = it.watch(json!({"condition": errors_above(0.5)})).await;
    let until = it.clock.now().plus(Duration::from_mins(3));
    let mute = it.weir.admin("POST", &format!("{alert}/mute")).json(&json!({"until": until})).send().await;
    assert_eq!(mute.status, 200, "{}", mute.text());
    it.calls(0, 2).await;
    it.judge().await;
    assert_eq!(it.get(&alert).await["state"], "firing");
    it.clock.advance(Duration::from_mins(3));
    it.judge().await;
    it.told(1).await;
    assert_eq!(it.receiver.calls(), 1);
}

#[tokio::test]
async fn trying_a_rule_out_shows_what_it_sees_and_tells_nobody() {
    let it = Scene::open().await;
    let alert = it.watch(json!({"condition": errors_above(0.5), "group_by": ["provider"]})).await;
    it.calls(0, 2).await;
    let tried = it.weir.admin("POST", &format!("{alert}/test")).send().await;
    let expected = json!({
        "groups": [{"group": ["openai"], "value": 1.0, "reference": 0.5, "verdict": "holds"}],
        "trouble": null,
    });
    assert_eq!((tried.status, tried.json()), (200, expected));
    let shown = it.get(&alert).await;
    assert_eq!((&shown["state"], it.receiver.calls()), (&Value::Null, 0));
}

#[tokio::test]
async fn a_gateway_judges_by_itself_and_stops_while_it_does() {
    let receiver = FakeProvider::start().await;
    receiver.will(Reply::json(&json!({})));
    let weir = Harness::with(|config| {
        config.webhooks.allow_private_addresses = true;
        config.alerts.interval = Duration::from_millis(20);
    })
    .await;
    let hook = json!({"name": "pager", "url": receiver.base_url(), "events": ["alert.*"]});
    assert_eq!(weir.admin("POST", "/webhooks").json(&hook).send().await.status, 201);
    let condition =
        json!({"kind": "threshold", "measure": "calls", "comparison": "below", "value": 1, "window": "5m"});
    let rule = json!({"name": "quiet", "condition": condition});
    assert_eq!(weir.admin("POST", "/alerts").json(&rule).send().await.status, 201);

    receiver.arrived(1).await;

    assert_eq!(receiver.only().json()["data"]["alert"]["name"], "quiet");
    let provider = weir.stop().await.provider;
    drop(provider);
    assert_eq!(receiver.calls(), 1, "judged many times, told once");
}
