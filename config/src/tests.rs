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
    assert_eq!(config.registry_url, "sqlite:./data/registry.sqlite");
    assert_eq!(config.analytics_url, "sqlite:./data/records.sqlite");
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
    assert_eq!(config.registry_url, "sqlite:/f/registry.sqlite");
}

#[test]
fn every_variable_of_the_contract_is_honoured() {
    let vars = set(&[
        ("WEIR_LISTEN", "127.0.0.1:1"),
        ("WEIR_ADMIN_LISTEN", "127.0.0.1:2"),
        ("WEIR_DATA_DIR", "/d"),
        ("WEIR_REGISTRY_URL", "sqlite:/r"),
        ("WEIR_ANALYTICS_URL", "sqlite:/a"),
        ("WEIR_SHARED_URL", "memory:"),
        ("WEIR_RECORDS_DURABILITY", "batched"),
        ("WEIR_ADMIN_TOKEN", "admin-1"),
        ("WEIR_API_KEY", "key-1"),
    ]);
    let config = load(None, &vars, &CommandLine::default()).unwrap();
    assert_eq!((config.server.listen.port(), config.server.admin_listen.port()), (1, 2));
    assert_eq!(config.data_dir, Path::new("/d"));
    assert_eq!((&*config.registry_url, &*config.analytics_url), ("sqlite:/r", "sqlite:/a"));
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
        "durability = \"strict\"\n",
        "[registry]\n",
        "url = \"postgres://u:hunter2@h/d\"\n",
        "[colour]\n",
        "red = 1\n",
    ));
    assert_eq!(
        told,
        [
            "1: listn: there is no such key; did you mean `listen`?",
            "3: limits.body_bytes: `64 MX` is not a size; write a number of bytes above zero, such as 1048576 or \"64 MiB\"",
            "4: limits.keep_alive: `30` is not a length of time; write a number above zero and its unit (ms, s, m, h, d), such as \"30s\"",
            "6: records.durability: \"strict\" is not supported by this version yet; write \"batched\"",
            "8: registry.url: PostgreSQL is not supported by this version yet; write \"sqlite:PATH\"",
            "9: colour: there is no such key; remove it; known here: listen, admin_listen, shutdown_grace, data_dir, demo, registry, analytics, shared, providers, limits, records, models, admin_token, api_key, log, metrics, prices, node",
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
    let config = load_text(text, &set(&[("WEIR_ADMIN_TOKEN", "hunter2")])).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(provider(&config, "x").headers[0].1.is("hunter2"));
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
    for key in keys().iter().filter(|key| !key.path.contains("NAME") && !key.path.contains("ALIAS")) {
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
