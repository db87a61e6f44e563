//! Every way by which somebody outside can make a version answer a label, against policies that do not let them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::Role;
use serde_json::{Value, json};

use crate::commands::weir;
use crate::desk::{Desk, encoded};
use crate::support::{Answer, Call};

/// A way to a label, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Put,
    Publish,
    PublishDraft,
    Release,
    Ramp,
    StepOfRamp,
    Arm,
    LangfusePost,
    LangfusePatch,
}

const WAYS: [Way; 9] = [
    Way::Put,
    Way::Publish,
    Way::PublishDraft,
    Way::Release,
    Way::Ramp,
    Way::StepOfRamp,
    Way::Arm,
    Way::LangfusePost,
    Way::LangfusePatch,
];

/// A prompt for one way, with version 1 in production and version 2 on its way there.
struct Try<'a> {
    desk: &'a Desk,
    way: Way,
    prompt: String,
    /// The release it takes.
    release: String,
}

impl<'a> Try<'a> {
    async fn ready(desk: &'a Desk, way: Way, by: &str) -> Self {
        let prompt = format!("walk/{way:?}").to_lowercase();
        for text in ["one", "two"] {
            desk.publish(&prompt, json!({ "text": text })).await;
        }
        desk.move_label(&prompt, "production", 1).await;
        let mut it = Self { desk, way, prompt, release: String::new() };
        if let Some(steps) = match way {
            Way::Release => Some(json!([100])),
            Way::Ramp | Way::StepOfRamp => Some(json!([10, 50, 100])),
            _ => None,
        } {
            let new = json!({"label": "production", "version": 2, "ramp": {"steps": steps}});
            let made = desk.post(&it.path("/releases"), &new).await.json();
            it.release = format!("/releases/{}", made["id"].as_str().unwrap());
        }
        if way == Way::StepOfRamp {
            assert_eq!(desk.post(&format!("{}/release", it.release), &json!({})).await.status, 200);
        }
        if way == Way::PublishDraft {
            let kept = it.admin(by, "PUT", &it.path("/draft"), &json!({"text": "draft"})).await;
            assert_eq!(kept.status, 200, "{}", kept.text());
        }
        it
    }

    fn path(&self, below: &str) -> String {
        format!("/prompts/{}{below}", encoded(&self.prompt))
    }

    async fn admin(&self, by: &str, method: &str, path: &str, body: &Value) -> Answer {
        let call = Call::new(self.desk.admin_address(), method, &format!("/api/v1{path}"));
        call.key(by).json(body).send().await
    }

    async fn langfuse(&self, by: &str, method: &str, path: &str, body: &Value) -> Answer {
        let pair = STANDARD.encode(format!("pk:{by}"));
        let call = Call::new(self.desk.data_address(), method, &format!("/api/public/v2/prompts{path}"));
        call.header("authorization", &format!("Basic {pair}")).json(body).send().await
    }

    async fn go(&self, by: &str) -> Answer {
        let version = |version: u32| json!({"name": format!("v{version}"), "version": version, "weight": 1});
        let experiment = json!({"arms": [version(1), version(2)], "unit": "user", "state": "running"});
        let labels = json!(["production"]);
        match self.way {
            Way::Put => self.admin(by, "PUT", &self.path("/labels/production"), &json!({"version": 2})).await,
            Way::Publish => {
                let new = json!({"text": "three", "labels": labels});
                self.admin(by, "POST", &self.path("/versions"), &new).await
            }
            Way::PublishDraft => {
                let draft = json!({"draft": true, "labels": labels});
                self.admin(by, "POST", &self.path("/versions"), &draft).await
            }
            Way::Release | Way::Ramp => {
                self.admin(by, "POST", &format!("{}/release", self.release), &json!({})).await
            }
            Way::StepOfRamp => self.admin(by, "POST", &format!("{}/advance", self.release), &json!({})).await,
            Way::Arm => self.admin(by, "PUT", &self.path("/experiments/production"), &experiment).await,
            Way::LangfusePost => {
                let new = json!({"name": self.prompt, "prompt": "three", "labels": labels});
                self.langfuse(by, "POST", "", &new).await
            }
            Way::LangfusePatch => {
                let path = format!("/{}/versions/2", encoded(&self.prompt));
                self.langfuse(by, "PATCH", &path, &json!({"newLabels": labels})).await
            }
        }
    }

    /// Where production stands, and which version is the highest.
    async fn stands(&self) -> Value {
        let prompt = self.desk.get(&self.path("")).await.json();
        json!([prompt["labels"]["production"], prompt["latest_version"]])
    }
}

/// The secret of a token of this role.
async fn token(desk: &Desk, role: Role) -> String {
    let new = json!({"name": format!("walking {role}"), "role": role.as_str(), "owner": "walker"});
    desk.post("/tokens", &new).await.json()["secret"].as_str().unwrap().to_owned()
}

/// Sets production's policy once everything stands ready, and tries all ways.
async fn refused_everywhere(policy: &Value, role: Role, statuses: &[u16]) -> Desk {
    let desk = Desk::open().await;
    let by = token(&desk, role).await;
    let mut tries = Vec::new();
    for way in WAYS {
        tries.push(Try::ready(&desk, way, &by).await);
    }
    assert_eq!(desk.send("PUT", "/labels/production/policy", policy).await.status, 200);
    for it in &tries {
        let answer = it.go(&by).await;
        assert!(statuses.contains(&answer.status), "{:?}: {} {}", it.way, answer.status, answer.text());
        assert_eq!(it.stands().await, json!([1, 2]), "{:?}", it.way);
    }
    desk
}

#[tokio::test]
async fn a_freeze_stands_in_every_way() {
    let policy = json!({"freeze": [{"from": "2020-01-01T00:00:00Z", "reason": "the sale"}]});
    let desk = refused_everywhere(&policy, Role::Admin, &[409]).await;

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pushed.prompt"), "---\ntype: text\n---\nHello\n").unwrap();
    let push = ["prompt", "push", folder.path().to_str().unwrap(), "--label", "production"];
    let pushed = weir(&desk, &push).await;
    assert!(!pushed.ok && pushed.err.contains("the sale"), "{} {}", pushed.out, pushed.err);
    assert_eq!(desk.get("/prompts/pushed").await.status, 404, "nothing was published");

    let url = format!("http://{}", desk.data_address());
    let keys = ["--public-key", "any", "--secret-key", desk.api_key()];
    let from = ["import", "langfuse", "--url", &url, "--name", "walk/put", "--folder", "copy"];
    let imported = weir(&desk, &[&from[..], &keys].concat()).await;
    assert!(
        format!("{}{}", imported.out, imported.err).contains("the sale"),
        "{} {}",
        imported.out,
        imported.err
    );
    let copy = desk.get("/prompts/copy%2Fwalk%2Fput").await.json();
    assert!(copy["labels"].get("production").is_none(), "{copy}");
}

#[tokio::test]
async fn a_policy_of_approvals_stands_in_every_way() {
    refused_everywhere(&json!({"approvals": 1}), Role::Admin, &[403, 409]).await;
}

#[tokio::test]
async fn a_protected_label_stands_in_every_way_of_an_editor() {
    refused_everywhere(&json!({"protected": true}), Role::Editor, &[403]).await;
}
