//! Where calls are sent as OpenTelemetry spans, beside being recorded.

mod preset;

use vocab::Secret;

use crate::export::preset::Preset;
use crate::reader::Section;
use crate::setting::{Setting, Size, choice};
use crate::{headers, url};

/// An OTLP endpoint and what is sent to it.
#[derive(Clone, Debug)]
pub struct Export {
    /// The endpoint, whole: spans are posted to this very URL.
    pub url: String,
    /// Headers sent with every request, in lower case.
    pub headers: Vec<(String, Secret)>,
    /// By which convention attributes are named.
    pub names: Names,
    /// Whether what was said travels too, redacted as the record is.
    pub bodies: bool,
    /// How spans are written.
    pub encoding: Encoding,
    /// Attributes of the resource, such as `service.name`.
    pub resource: Vec<(String, String)>,
    /// Spans that wait to be sent; above it they are dropped and counted.
    pub queue_bytes: usize,
}

/// By which convention attributes of spans are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// OpenTelemetry's `GenAI` conventions as most back ends read them today.
    Current,
    /// OpenTelemetry's `GenAI` conventions as they are to become.
    Next,
    /// `OpenInference`.
    OpenInference,
}

/// How spans are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf, which every back end reads.
    Protobuf,
    /// JSON.
    Json,
}

/// Headers the exporter writes itself.
const OWN_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];
/// How the endpoint is written.
const FORM: &str =
    "write the whole endpoint, such as \"http://127.0.0.1:4318/v1/traces\"; keys go into [export.headers]";

impl Export {
    /// Reads the section; `None` when nothing is to be sent.
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Option<Self> {
        let mut section = top.section("export");
        let before = section.reader.problems.len();
        let preset = section.parse("preset", "", |text| choice(text, &Preset::ALL));
        let stated = section.parse("url", "", |text| url::http(text, FORM));
        let mut export = Self::read_settings(&mut section, preset);
        match (stated, preset) {
            (Some(url), _) => export.url = url,
            (None, Some(preset)) => export.url = preset.url(section.reader.vars),
            (None, None) => {
                if section.is_written() && section.reader.problems.len() == before {
                    section.refuse(
                        "url",
                        "it is missing",
                        "write export.url, or export.preset for a known service",
                    );
                }
            }
        }
        if let Some(preset) = preset {
            preset.complete(&mut export, &mut section);
        }
        section.finish();
        (!export.url.is_empty()).then_some(export)
    }

    fn read_settings(section: &mut Section<'_, '_>, preset: Option<Preset>) -> Self {
        let names =
            [("current", Names::Current), ("next", Names::Next), ("openinference", Names::OpenInference)];
        let encoding = [("protobuf", Encoding::Protobuf), ("json", Encoding::Json)];
        let stated = section.parse("names", "current", |text| choice(text, &names));
        Self {
            url: String::new(),
            names: stated.unwrap_or_else(|| preset.map_or(Names::Current, Preset::names)),
            bodies: section.read("bodies", false),
            encoding: section
                .parse("encoding", "protobuf", |text| choice(text, &encoding))
                .unwrap_or(Encoding::Protobuf),
            queue_bytes: section.read("queue_bytes", Size(16 << 20)).0,
            headers: headers::read(section, &OWN_HEADERS),
            resource: resource(section),
        }
    }
}

fn resource(section: &mut Section<'_, '_>) -> Vec<(String, String)> {
    let mut table = section.section("resource");
    let mut resource = Vec::new();
    for name in table.written_keys() {
        resource.extend(table.parse(&name, "", String::parse).map(|value| (name, value)));
    }
    table.finish();
    resource
}
