//! Whole configurations: what is read from where, and what is said when something is wrong.

use std::io::Write;
use std::time::Duration;

use super::*;

type Set = BTreeMap<String, String>;

fn set(pairs: &[(&str, &str)]) -> Set {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load_text(text: &str, vars: &Set) -> Result<Config, Problems> {
    load(Some(file(text).path()), vars, &CommandLine::default())
}

/// The problems as `line: key: wrong; fix`.
fn problems(text: &str) -> Vec<String> {
    let Problems(problems) = load_text(text, &Set::new()).unwrap_err();
    let line = |place: &Place| match place {
        Place::File { line, .. } => line.to_string(),
        Place::Variable(_) | Place::Argument(_) | Place::Default => place.to_string(),
    };
    problems.iter().map(|p| format!("{}: {}: {}; {}", line(&p.place), p.key, p.wrong, p.fix)).collect()
}

fn provider<'a>(config: &'a Config, name: &str) -> &'a Provider {
    config.providers.iter().find(|provider| &*provider.name == name).unwrap()
}

#[test]
fn without_anything_the_defaults_hold() {
    let config = load(None, &Set::new(), &CommandLine::default()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.server.shutdown_grace, Duration::from_secs(30));
    assert_eq!(config.limits.body_bytes, 64 << 20);
    assert_eq!(config.registry_url.expose(), "sqlite:./data/registry.sqlite");
    assert_eq!(config.analytics_url.expose(), "sqlite:./data/records.sqlite");
    assert_eq!(config.shared_url, "memory:");
    assert_eq!(config.records.bodies, Bodies::Full);
    assert!(config.providers.is_empty() && config.admin_token.is_none() && !config.demo);
    assert!(!config.node.is_empty());
}

#[test]
fn the_command_line_beats_the_environment_and_that_the_file_and_that_the_default() {
    let text = "listen = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndata_dir = \"/f\"\n[limits]\ninflight = 7\n";
    let vars = set(&[
        ("WEIR_LISTEN", "127.0.0.1:3"),
        ("WEIR_ADMIN_LISTEN", "127.0.0.1:4"),
        ("WEIR_LIMITS_CALL_TIMEOUT", "9s"),
    ]);
    let cli = CommandLine { listen: Some("127.0.0.1:5".into()), ..CommandLine::default() };
    let config = load(Some(file(text).path()), &vars, &cli).unwrap();
    assert_eq!(config.server.listen.port(), 5);
    assert_eq!(config.server.admin_listen.port(), 4);
    assert_eq!(config.limits.inflight, 7);
    assert_eq!(config.limits.call_timeout, Duration::from_secs(9));
    assert_eq!(config.registry_url.expose(), "sqlite:/f/registry.sqlite");
}

#[test]
fn every_variable_of_the_contract_is_honoured() {
    let vars = set(&[
        ("WEIR_LISTEN", "127.0.0.1:1"),
        ("WEIR_ADMIN_LISTEN", "127.0.0.1:2"),
        ("WEIR_DATA_DIR", "/d"),
        ("WEIR_REGISTRY_URL", "sqlite:/r"),
        ("WEIR_ANALYTICS_URL", "http://weir:hunter2@ch:8123/weir"),
        ("WEIR_SHARED_URL", "memory:"),
        ("WEIR_RECORDS_DURABILITY", "strict"),
        ("WEIR_ADMIN_TOKEN", "admin-1"),
        ("WEIR_API_KEY", "key-1"),
    ]);
    let config = load(None, &vars, &CommandLine::default()).unwrap();
    assert_eq!((config.server.listen.port(), config.server.admin_listen.port()), (1, 2));
    assert_eq!(config.data_dir, Path::new("/d"));
    assert_eq!(config.registry_url.expose(), "sqlite:/r");
    assert_eq!(config.analytics_url.expose(), "http://weir:hunter2@ch:8123/weir");
    assert_eq!(config.records.durability, Durability::Strict);
    assert!(config.admin_token.unwrap().is("admin-1") && config.api_key.unwrap().is("key-1"));
}

#[test]
fn all_problems_are_told_at_once_each_with_its_line() {
    let told = problems(concat!(
        "listn = \"127.0.0.1:1\"\n",
        "[limits]\n",
        "body_bytes = \"64 MX\"\n",
        "keep_alive = 30\n",
        "[records]\n",
        "durability = \"strct\"\n",
        "[registry]\n",
        "url = \"mysql://u:hunter2@h/d\"\n",
        "[colour]\n",
        "red = 1\n",
    ));
    assert_eq!(
        told,
        [
            "1: listn: there is no such key; did you mean `listen`?",
            "3: limits.body_bytes: `64 MX` is not a size; write a number of bytes above zero, such as 1048576 or \"64 MiB\"",
            "4: limits.keep_alive: `30` is not a length of time; write a number above zero and its unit (ms, s, m, h, d), such as \"30s\"",
            "6: records.durability: `strct` is not known here; did you mean \"strict\"? it is one of \"batched\", \"strict\"",
            "8: registry.url: `mysql:` cannot keep this; write \"sqlite:PATH\", or \"postgres://user:password@host:5432/database\" for PostgreSQL",
            "9: colour: there is no such key; remove it; known here: listen, admin_listen, shutdown_grace, data_dir, demo, registry, analytics, shared, providers, limits, records, export, alerts, webhooks, smtp, public_url, models, admin_token, api_key, log, metrics, prices, node",
        ]
    );
}

#[test]
fn a_problem_in_a_variable_or_an_argument_names_it() {
    let vars = set(&[("WEIR_LIMITS_INFLIGHT", "many")]);
    let cli = CommandLine { listen: Some("8080".into()), ..CommandLine::default() };
    let said = load(None, &vars, &cli).unwrap_err().to_string();
    assert!(said.starts_with("argument --listen: listen: `8080` is not an address to listen on; "), "{said}");
    assert!(
        said.contains("\nenvironment variable WEIR_LIMITS_INFLIGHT: limits.inflight: `many` is not"),
        "{said}"
    );
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let told = problems("[limits]\nbody_bytes = \"2 GiB\"\nheader_bytes = 100\n");
    assert_eq!(
        told,
        [
            "1: limits.buffered_bytes: one body of limits.body_bytes would not fit into it; write at least \"2 GiB\"",
            "3: limits.header_bytes: it is below 8 KiB; write \"8 KiB\" or more",
        ]
    );
    assert!(problems("admin_listen = \"127.0.0.1:8080\"")[0].contains("both listeners have this address"));
}

#[test]
fn providers_come_from_their_usual_variables() {
    let vars = set(&[
        ("OPENAI_API_KEY", "sk-o"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9100/v1/"),
        ("MISTRAL_API_KEY", "sk-m"),
        ("GROQ_API_KEY", "sk-g"),
        ("DEEPSEEK_API_KEY", "sk-d"),
        ("OPENROUTER_API_KEY", "sk-r"),
        ("AZURE_OPENAI_API_KEY", "sk-a"),
        ("AZURE_OPENAI_ENDPOINT", "https://x.openai.azure.com/"),
        ("OLLAMA_HOST", "0.0.0.0:11434"),
    ]);
    let config = load(None, &vars, &CommandLine { demo: true, ..CommandLine::default() }).unwrap();
    let names: Vec<_> = config.providers.iter().map(|provider| &*provider.name).collect();
    assert_eq!(names, ["openai", "azure", "mistral", "groq", "deepseek", "openrouter", "ollama", "demo"]);
    assert_eq!(provider(&config, "openai").base_url, "http://127.0.0.1:9100/v1");
    assert_eq!(provider(&config, "groq").base_url, "https://api.groq.com/openai/v1");
    assert_eq!(provider(&config, "ollama").base_url, "http://127.0.0.1:11434/v1");
    let azure = provider(&config, "azure");
    assert_eq!(azure.base_url, "https://x.openai.azure.com/openai/v1");
    assert_eq!(azure.auth, Auth::Header("api-key".to_owned()));
    assert!(azure.api_key.as_ref().unwrap().is("sk-a"));
}

#[test]
fn the_demo_is_added_once_and_takes_no_others_name() {
    let demo = CommandLine { demo: true, ..CommandLine::default() };
    let listed = file("[providers.demo]\n");
    let config = load(Some(listed.path()), &Set::new(), &demo).unwrap();
    assert_eq!(config.providers.len(), 1);
    let taken = file("[providers.demo]\nkind = \"openai\"\nbase_url = \"http://h/v1\"\n");
    let said = load(Some(taken.path()), &Set::new(), &demo).unwrap_err().to_string();
    assert!(said.starts_with("argument --demo: demo: another provider has the name `demo`"), "{said}");
}

#[test]
fn variables_that_lead_to_nothing_are_never_silent() {
    let vars = set(&[
        ("ANTHROPIC_API_KEY", "x"),
        ("GEMINI_API_KEY", "x"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AZURE_OPENAI_API_KEY", "x"),
        ("MISTRAL_BASE_URL", "http://m/v1"),
        ("WEIR_LISTN", "x"),
        ("WEIR_PROVIDERS_X_TRIES", "3"),
    ]);
    let config = load(None, &vars, &CommandLine::default()).unwrap();
    for said in [
        "ANTHROPIC_API_KEY is set, but Anthropic is not supported yet by this version",
        "GEMINI_API_KEY is set, but Gemini is not supported yet by this version",
        "AWS_ACCESS_KEY_ID is set, but AWS Bedrock is not supported yet by this version",
        "AZURE_OPENAI_API_KEY is set without AZURE_OPENAI_ENDPOINT, so provider azure is left out",
        "MISTRAL_BASE_URL is set without MISTRAL_API_KEY, so provider mistral is left out",
        "the variable WEIR_LISTN is no setting; did you mean WEIR_LISTEN?",
        "the variable WEIR_PROVIDERS_X_TRIES is no setting, and nothing reads it",
    ] {
        assert!(config.notices.iter().any(|notice| notice.starts_with(said)), "{said}: {:?}", config.notices);
    }
}

#[test]
fn both_ways_of_listing_providers_mean_the_same() {
    let by_name = "[providers.mock]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9100/v1\"\napi_key = \"${K}\"\nmodels = [\"a\", \"b\"]\n";
    let by_item = "[[providers]]\nname = \"mock\"\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9100/v1\"\napi_key = \"${K}\"\nmodels = [\"a\", \"b\"]\n";
    let vars = set(&[("K", "sk-k")]);
    for text in [by_name, by_item] {
        let config = load_text(text, &vars).unwrap();
        let mock = provider(&config, "mock");
        assert_eq!((mock.kind, &*mock.base_url), (ProviderKind::OpenAi, "http://127.0.0.1:9100/v1"));
        assert!(mock.api_key.as_ref().unwrap().is("sk-k"));
        assert_eq!(mock.models, ["a", "b"]);
        assert_eq!(mock.tries, 2);
    }
}

#[test]
fn a_listed_provider_named_for_its_kind_takes_its_usual_key_and_another_does_not() {
    let vars = set(&[("OPENAI_API_KEY", "sk-o")]);
    let config = load_text("[providers.openai]\n", &vars).unwrap();
    assert!(provider(&config, "openai").api_key.as_ref().unwrap().is("sk-o"));
    let config =
        load_text("[providers.local]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n", &vars)
            .unwrap();
    assert!(provider(&config, "local").api_key.is_none());
    assert!(config.notices.is_empty(), "openai is spoken: {:?}", config.notices);
}

#[test]
fn a_list_in_the_file_is_the_whole_list_and_a_key_it_leaves_unused_is_told() {
    let vars = set(&[("GROQ_API_KEY", "sk-g")]);
    let config = load_text("[providers.local]\nbase_url = \"http://127.0.0.1:9/v1\"\n", &vars).unwrap();
    assert_eq!(config.providers.len(), 1);
    assert!(config.notices[0].starts_with("GROQ_API_KEY is set, but the file lists its providers"));
}

#[test]
fn a_variable_overrides_a_listed_provider() {
    let vars = set(&[
        ("WEIR_PROVIDERS_MY_LLM_BASE_URL", "http://127.0.0.1:2/v1"),
        ("WEIR_PROVIDERS_MY_LLM_MODELS", "a, b"),
        ("WEIR_MODELS_FAST", "my-llm/b"),
    ]);
    let text = "[models]\nfast = \"my-llm/a\"\n[providers.my-llm]\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    let config = load_text(text, &vars).unwrap();
    let provider = provider(&config, "my-llm");
    assert_eq!(provider.base_url, "http://127.0.0.1:2/v1");
    assert_eq!(provider.models, ["a", "b"]);
    assert_eq!(config.aliases["fast"], "my-llm/b");
}

#[test]
fn what_is_wrong_with_a_provider_is_told() {
    for (text, said) in [
        ("[providers.openai]\n", "1: providers.openai.api_key: it is missing; set OPENAI_API_KEY, or write"),
        ("[providers.azure]\napi_key = \"k\"\n", "1: providers.azure.base_url: it is missing"),
        (
            "[providers.x]\nkind = \"opnai\"\nbase_url = \"http://h/v1\"\n",
            "2: providers.x.kind: there is no kind `opnai`; did you mean \"openai\"?",
        ),
        (
            "[providers.x]\nkind = \"anthropic\"\nbase_url = \"http://h\"\n",
            "2: providers.x.kind: \"anthropic\" is not supported by this version yet",
        ),
        (
            "[providers.x]\nbase_url = \"http://127.0.0.1:8080/v1\"\n",
            "2: providers.x.base_url: http://127.0.0.1:8080/v1 is this gateway's own address",
        ),
        (
            "[providers.x]\nbase_url = \"http://h/v1\"\nbase_ulr = 1\n",
            "3: providers.x.base_ulr: there is no such key; did you mean `base_url`?",
        ),
        (
            "[providers.x]\nbase_url = \"http://h/v1\"\napi_key = \"${NO}\"\n",
            "3: providers.x.api_key: the environment variable NO is not set",
        ),
        (
            "[providers.x]\nbase_url = \"http://h/v1\"\ntries = 99\n",
            "3: providers.x.tries: 99 tries are too many",
        ),
        (
            "[providers.x]\nbase_url = \"http://h/v1\"\nca_file = \"/nowhere\"\n",
            "3: providers.x.ca_file: /nowhere cannot be read",
        ),
        (
            "[providers.x]\nbase_url = \"http://h/v1\"\nmodels = \"a\"\n",
            "3: providers.x.models: it is not a list",
        ),
        (
            "[providers.x]\nbase_url = \"http://h/v1\"\n[providers.x.headers]\nHost = \"y\"\n",
            "4: providers.x.headers.Host: the gateway writes this header itself",
        ),
        ("[[providers]]\nbase_url = \"http://h/v1\"\n", "1: providers.?.name: the provider has no name"),
        (
            "[[providers]]\nname = \"x\"\nbase_url = \"http://h/v1\"\n[[providers]]\nname = \"x\"\nbase_url = \"http://h/v1\"\n",
            "5: providers.x.name: another provider has this name",
        ),
        ("providers = 1\n", "1: providers: it is not a list of tables"),
        ("[models]\nfast = \"grok/x\"\n", "2: models.fast: there is no provider `grok`"),
        ("[models]\nfast = \"x\"\n", "2: models.fast: `x` names no provider"),
        ("[models]\ngpt-4.1 = \"openai/x\"\n", "2: models.gpt-4: it is a table; write the alias in quotes"),
    ] {
        let told = problems(text);
        assert!(told.iter().any(|line| line.starts_with(said)), "{text}: {told:#?}");
    }
}

#[test]
fn the_usual_base_url_may_not_lead_back_to_the_gateway() {
    let vars = set(&[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://localhost:8080/v1")]);
    let said = load(None, &vars, &CommandLine::default()).unwrap_err().to_string();
    assert!(
        said.starts_with(
            "environment variable OPENAI_BASE_URL: http://localhost:8080/v1 is this gateway's own"
        )
    );
}

#[test]
fn secrets_do_not_print() {
    let text = "[providers.x]\nbase_url = \"http://h/v1\"\napi_key = \"hunter2\"\n[providers.x.headers]\nx-extra = \"hunter2\"\n";
    let vars = set(&[
        ("WEIR_ADMIN_TOKEN", "hunter2"),
        ("WEIR_ANALYTICS_URL", "http://u:hunter2@h:8123/d"),
        ("WEIR_SMTP_URL", "smtps://u:hunter2@h"),
        ("WEIR_SMTP_FROM", "weir@example.com"),
        ("WEIR_EXPORT_PRESET", "langsmith"),
        ("LANGSMITH_API_KEY", "hunter2"),
    ]);
    let config = load_text(text, &vars).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(provider(&config, "x").headers[0].1.is("hunter2"));
    assert!(config.smtp.unwrap().url.is("smtps://u:hunter2@h"));
    assert!(config.export.unwrap().headers[0].1.is("hunter2"));
}

#[test]
fn a_project_takes_what_it_does_not_say_from_the_rest() {
    let text = concat!(
        "[records]\nbodies = \"sampled\"\nsample = 0.25\nretention = \"90d\"\nredact = [\"email\", \"card\"]\n",
        "[records.projects.support]\nsample = 0.5\nretention = \"30d\"\n",
        "[records.projects.labs]\nbodies = \"full\"\nredact = []\n",
        "[records.projects.legal]\nbodies = \"off\"\nredact = [{pattern = \"KD-\\\\d+\", with = \"KD-…\"}]\n",
    );
    let records = load_text(text, &Set::new()).unwrap().records;
    assert_eq!((records.bodies, records.redact.len()), (Bodies::Sampled(0.25), 2));
    let of = |name: &str| {
        let project = &records.projects[name];
        let days = project.retention.unwrap().as_secs() / 86_400;
        (project.bodies, days, project.redact.len())
    };
    assert_eq!(of("support"), (Bodies::Sampled(0.5), 30, 2));
    assert_eq!(of("labs"), (Bodies::Full, 90, 0));
    assert_eq!(of("legal"), (Bodies::Off, 90, 1));
    let Redact::Own { pattern, with } = &records.projects["legal"].redact[0] else { panic!("a pattern") };
    assert!(pattern.is_match("KD-1") && with == "KD-…");
}

#[test]
fn records_take_their_variables() {
    let vars = set(&[
        ("WEIR_RECORDS_BODIES", "sampled"),
        ("WEIR_RECORDS_SAMPLE", "1"),
        ("WEIR_RECORDS_REDACT", "email, ssn"),
        ("WEIR_RECORDS_SYNC", "full"),
        ("WEIR_RECORDS_ON_FULL", "refuse"),
        ("WEIR_RECORDS_OUTBOX_BYTES", "1 GiB"),
        ("WEIR_RECORDS_RESERVE_BYTES", "1 MiB"),
        ("WEIR_ANALYTICS_URL", "${CH}"),
        ("WEIR_ANALYTICS_CLUSTER", "{cluster}"),
        ("CH", "https://u:p@ch/weir"),
    ]);
    let config = load(None, &vars, &CommandLine::default()).unwrap();
    let records = config.records;
    assert_eq!((records.bodies, records.redact.len()), (Bodies::Sampled(1.0), 2));
    assert_eq!((records.sync, records.on_full), (Sync::Full, OnFull::Refuse));
    assert_eq!((records.outbox_bytes, records.reserve_bytes), (1 << 30, 1 << 20));
    assert!(config.analytics_url.is("https://u:p@ch/weir"));
    assert_eq!(config.analytics_cluster.as_deref(), Some("{cluster}"));
}

#[test]
fn an_export_is_an_endpoint_or_a_service_that_is_known() {
    let text = "[export]\nurl = \"http://h:4318/v1/traces\"\nnames = \"next\"\nencoding = \"json\"\nbodies = true\n[export.headers]\nX-Key = \"k\"\n[export.resource]\n\"service.name\" = \"weir\"\n";
    let export = load_text(text, &Set::new()).unwrap().export.unwrap();
    assert_eq!(
        (&*export.url, export.names, export.encoding),
        ("http://h:4318/v1/traces", Names::Next, Encoding::Json)
    );
    assert!(export.bodies && export.headers[0].0 == "x-key");
    assert_eq!(export.resource, [("service.name".to_owned(), "weir".to_owned())]);

    let vars = set(&[
        ("LANGFUSE_PUBLIC_KEY", "pk"),
        ("LANGFUSE_SECRET_KEY", "sk"),
        ("LANGFUSE_HOST", "http://lf:3000/"),
    ]);
    let export = load_text("[export]\npreset = \"langfuse\"\n", &vars).unwrap().export.unwrap();
    assert_eq!(export.url, "http://lf:3000/api/public/otel/v1/traces");
    assert!(export.headers.iter().any(|(name, value)| name == "authorization" && value.is("Basic cGs6c2s=")));

    let export = load_text("[export]\npreset = \"phoenix\"\n", &Set::new()).unwrap().export.unwrap();
    assert_eq!((&*export.url, export.names), ("http://127.0.0.1:6006/v1/traces", Names::OpenInference));
    assert!(export.headers.is_empty());
    assert!(load_text("[export]\n", &Set::new()).unwrap().export.is_none());
}

#[test]
fn what_is_wrong_with_records_export_and_mail_is_told() {
    for (text, said) in [
        ("[records]\nsample = 0.5\n", "2: records.sample: it means nothing unless bodies are sampled"),
        (
            "[records]\nbodies = \"sampled\"\nsample = 2\n",
            "3: records.sample: `2` is not a part of the calls",
        ),
        ("[records]\nredact = \"email\"\n", "2: records.redact: it is not a list"),
        (
            "[records]\nredact = [\n\"email\",\n\"emaill\"]\n",
            "4: records.redact: `emaill` is not the name of a pattern; did you mean \"email\"?",
        ),
        ("[records]\nredact = [{with = \"x\"}]\n", "2: records.redact: the pattern is missing"),
        (
            "[records]\nredact = [{pattern = \"x\", whit = \"y\"}]\n",
            "2: records.redact: a pattern has no `whit`",
        ),
        ("[records]\nredact = [{pattern = 1}]\n", "2: records.redact: `pattern` is not a text"),
        (
            "[records.projects.a]\nbodiess = \"off\"\n",
            "2: records.projects.a.bodiess: there is no such key; did you mean `bodies`?",
        ),
        ("[records.projects]\na = 1\n", "2: records.projects.a: it is a value"),
        (
            "[records]\noutbox_bytes = \"1 MiB\"\n",
            "1: records.reserve_bytes: it is not below records.outbox_bytes",
        ),
        ("[analytics]\ncluster = \"c\"\n", "2: analytics.cluster: only ClickHouse has clusters"),
        ("[export]\nbodies = true\n", "1: export.url: it is missing"),
        ("[export]\nurl = \"http://u:p@h/v1/traces\"\n", "2: export.url: it holds a user or password"),
        (
            "[export]\npreset = \"langsmith\"\n",
            "1: export.headers: the preset needs the header x-api-key; set LANGSMITH_API_KEY",
        ),
        (
            "[export]\npreset = \"phenix\"\n",
            "2: export.preset: `phenix` is not known here; did you mean \"phoenix\"?",
        ),
        (
            "[export]\npreset = \"phoenix\"\nencoding = \"json\"\n",
            "3: export.encoding: this service reads protobuf only",
        ),
        (
            "[export]\npreset = \"mlflow\"\n[export.headers]\nHost = \"x\"\n",
            "4: export.headers.Host: the gateway writes this header itself",
        ),
        ("[alerts]\ninterval = \"1s\"\n", "2: alerts.interval: it is below 5 seconds"),
        ("[smtp]\nurl = \"smtps://u:p@h\"\n", "1: smtp.from: it is missing"),
        ("[smtp]\nfrom = \"weir@h\"\n", "1: smtp.url: it is missing"),
        ("[smtp]\nurl = \"mail.example\"\nfrom = \"weir\"\n", "3: smtp.from: `weir` is not an address"),
        ("public_url = \"weir.example\"\n", "1: public_url: it does not start with http:// or https://"),
    ] {
        let told = problems(text);
        assert!(told.iter().any(|line| line.starts_with(said)), "{text}: {told:#?}");
    }
}

#[test]
fn the_examples_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let there = file("");
    let there = there.path().to_str().unwrap();
    let keys = [("OPENAI_API_KEY", "sk-o"), ("GROQ_API_KEY", "sk-g"), ("AZURE_OPENAI_API_KEY", "sk-a")];
    let files = [("WEIR_PROVIDERS_LOCAL_CA_FILE", there), ("WEIR_PRICES_OVERRIDES", there)];
    for (name, vars) in [("minimal.toml", &keys[..1]), ("full.toml", &[&keys[..], &files[..]].concat())] {
        let config = load(Some(&folder.join(name)), &set(vars), &CommandLine::default()).unwrap();
        assert!(!config.providers.is_empty(), "{name}");
        assert!(config.notices.is_empty(), "{name}: {:?}", config.notices);
    }
}

#[test]
fn the_full_example_writes_every_key_with_its_default() {
    let text = include_str!("../examples/full.toml");
    let own =
        |key: &&Key| ["NAME", "ALIAS", "HEADER", "ATTRIBUTE"].iter().any(|word| key.path.contains(word));
    for key in keys().iter().filter(|key| !own(key)) {
        let name = key.path.rsplit('.').next().unwrap();
        let default = key.default.replace("DATA_DIR", "./data");
        let fits = |line: &str| line.starts_with(&format!("{name} = ")) && line.contains(&default);
        assert!(text.lines().any(|line| fits(line.trim_start_matches("# "))), "examples/full.toml: {key:?}");
    }
}

#[test]
fn each_key_is_documented_with_its_variable_and_default() {
    let text = include_str!("../../docs/CONFIG.md");
    for Key { path, variable, default } in keys() {
        let shown = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let row = format!("| `{path}` | `{variable}` | {shown} | ").replace("|  |", "| |");
        assert!(text.contains(&row), "docs/CONFIG.md lacks the row: {row}");
    }
}
