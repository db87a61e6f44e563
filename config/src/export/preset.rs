//! Services that are known: their endpoints, the variables their own clients read, what they cannot do without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vocab::Secret;

use crate::export::{Encoding, Export, Names};
use crate::reader::Section;
use crate::vars::Vars;

/// A service that spans are often sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    LangSmith,
    Weave,
    Langfuse,
    MlFlow,
    Phoenix,
}

/// A header a service reads.
struct Header {
    name: &'static str,
    /// The variable its value is in when it is not written.
    variable: &'static str,
    /// What holds when that is not set either; `None` where the service does not do without.
    default: Option<&'static str>,
}

const fn header(name: &'static str, variable: &'static str, default: Option<&'static str>) -> Header {
    Header { name, variable, default }
}

impl Preset {
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("langsmith", Self::LangSmith),
        ("weave", Self::Weave),
        ("langfuse", Self::Langfuse),
        ("mlflow", Self::MlFlow),
        ("phoenix", Self::Phoenix),
    ];

    /// Names of attributes the service reads best.
    pub(crate) const fn names(self) -> Names {
        match self {
            Self::Phoenix => Names::OpenInference,
            Self::LangSmith | Self::Weave | Self::Langfuse | Self::MlFlow => Names::Current,
        }
    }

    /// Its endpoint: below the address that its own variable holds, if that is set.
    pub(crate) fn url(self, vars: &dyn Vars) -> String {
        let (variable, host, path) = match self {
            Self::LangSmith => ("LANGSMITH_ENDPOINT", "https://api.smith.langchain.com", "otel/v1/traces"),
            Self::Weave => ("WF_TRACE_SERVER_URL", "https://trace.wandb.ai", "otel/v1/traces"),
            Self::Langfuse => ("LANGFUSE_HOST", "https://cloud.langfuse.com", "api/public/otel/v1/traces"),
            Self::MlFlow => ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000", "v1/traces"),
            Self::Phoenix => ("PHOENIX_COLLECTOR_ENDPOINT", "http://127.0.0.1:6006", "v1/traces"),
        };
        let host =
            vars.get(variable).filter(|url| url.starts_with("http")).unwrap_or_else(|| host.to_owned());
        format!("{}/{path}", host.trim_end_matches('/'))
    }

    /// Adds what the service needs and is not written, or says what is missing.
    pub(crate) fn complete(self, export: &mut Export, section: &mut Section<'_, '_>) {
        for Header { name, variable, default } in self.headers() {
            let written = |export: &Export| export.headers.iter().any(|(known, _)| known == name);
            if written(export) {
                continue;
            }
            let found = self.found(name, variable, section.reader.vars);
            match found.or_else(|| default.map(str::to_owned)) {
                Some(value) if value.is_empty() => {}
                Some(value) => export.headers.push(((*name).to_owned(), Secret::new(value))),
                None => {
                    let fix = format!("set {variable}, or write {name} = \"…\" below [export.headers]");
                    section.refuse("headers", &format!("the preset needs the header {name}"), &fix);
                }
            }
        }
        for (attribute, variable) in self.resource() {
            let written = export.resource.iter().any(|(known, _)| known == attribute);
            match section.reader.vars.get(variable) {
                Some(value) if !written => export.resource.push(((*attribute).to_owned(), value)),
                None if !written => {
                    let fix =
                        format!("set {variable}, or write \"{attribute}\" = \"…\" below [export.resource]");
                    section.refuse("resource", &format!("the preset needs the attribute {attribute}"), &fix);
                }
                Some(_) | None => {}
            }
        }
        let binary_only = matches!(self, Self::Weave | Self::Phoenix | Self::MlFlow);
        if binary_only && export.encoding == Encoding::Json {
            section.refuse("encoding", "this service reads protobuf only", "write \"protobuf\"");
        }
    }

    const fn headers(self) -> &'static [Header] {
        const LANGSMITH: [Header; 2] = [
            header("x-api-key", "LANGSMITH_API_KEY", None),
            header("langsmith-project", "LANGSMITH_PROJECT", Some("")),
        ];
        const WEAVE: [Header; 1] = [header("wandb-api-key", "WANDB_API_KEY", None)];
        const LANGFUSE: [Header; 2] = [
            header("authorization", "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY", None),
            // Without it spans are shown minutes later (langfuse.com/docs/opentelemetry, seen 2026-08).
            header("x-langfuse-ingestion-version", "", Some("4")),
        ];
        const MLFLOW: [Header; 1] = [header("x-mlflow-experiment-id", "MLFLOW_EXPERIMENT_ID", Some("0"))];
        const PHOENIX: [Header; 1] = [header("authorization", "PHOENIX_API_KEY", Some(""))];
        match self {
            Self::LangSmith => &LANGSMITH,
            Self::Weave => &WEAVE,
            Self::Langfuse => &LANGFUSE,
            Self::MlFlow => &MLFLOW,
            Self::Phoenix => &PHOENIX,
        }
    }

    const fn resource(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Weave => &[("wandb.entity", "WANDB_ENTITY"), ("wandb.project", "WANDB_PROJECT")],
            Self::LangSmith | Self::Langfuse | Self::MlFlow | Self::Phoenix => &[],
        }
    }

    /// What a header is to hold, as far as variables say it.
    fn found(self, name: &str, variable: &str, vars: &dyn Vars) -> Option<String> {
        match (self, name) {
            (Self::Langfuse, "authorization") => {
                let (public, secret) = (vars.get("LANGFUSE_PUBLIC_KEY")?, vars.get("LANGFUSE_SECRET_KEY")?);
                Some(format!("Basic {}", STANDARD.encode(format!("{public}:{secret}"))))
            }
            (Self::Phoenix, "authorization") => Some(format!("Bearer {}", vars.get(variable)?)),
            _ => vars.get(variable),
        }
    }
}
