//! `weir serve`: runs the gateway until it is told to stop, and tells a newcomer how to call it.

use std::io::IsTerminal as _;

use vocab::Clock;

use super::{ServeArguments, say};
use crate::lifecycle::{self, Running};
use crate::telemetry;

/// Runs until SIGTERM or an interrupt.
pub fn run(arguments: &ServeArguments) -> anyhow::Result<()> {
    let config = arguments.load().map_err(|problems| anyhow::anyhow!("{problems}"))?;
    telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let running = lifecycle::start(config, Clock::system()).await?;
        greet(&running);
        lifecycle::serve(running).await
    });
    // Connections cut by a second signal are not waited for.
    runtime.shutdown_background();
    served
}

/// What a newcomer needs to make the first call. Secrets are shown to a terminal only.
fn greet(running: &Running) {
    let (data, admin) = (running.data, running.admin);
    say(&format!("Weir {} is serving", env!("CARGO_PKG_VERSION")));
    say(&format!("  data plane      http://{data}/v1   (OpenAI's API: point base_url here)"));
    say(&format!("  admin API       http://{admin}/api/v1   (/metrics, /healthz beside it)"));
    if let Some(file) = &running.access.file {
        say(&format!("  first secrets   {}", file.display()));
    }
    if !std::io::stdout().is_terminal() {
        return;
    }
    if let Some(token) = &running.access.admin_token {
        say(&format!("  admin token     {}", token.expose()));
    }
    let Some(key) = &running.access.api_key else { return };
    let key = key.expose();
    say(&format!("  virtual key     {key}"));
    if running.app.config.demo {
        let asking =
            format!("--admin-url http://{admin} --data-dir {}", running.app.config.data_dir.display());
        say(&demo_snippets(&data.to_string(), key, &asking));
    }
}

fn demo_snippets(data: &str, key: &str, asking: &str) -> String {
    format!(
        r#"
Try it:

curl http://{data}/v1/responses -H 'Authorization: Bearer {key}' -H 'content-type: application/json' \
  -d '{{"prompt": {{"id": "demo/support-reply", "version": "production", "variables": {{"customer": "Ada", "question": "Where is my order?"}}}}}}'

# Python: pip install openai
from openai import OpenAI
client = OpenAI(base_url="http://{data}/v1", api_key="{key}")
prompt = {{"id": "demo/support-reply", "version": "production",
          "variables": {{"customer": "Ada", "question": "Where is my order?"}}}}
print(client.responses.create(prompt=prompt).output_text)
for chunk in client.chat.completions.create(model="", messages=[], stream=True, extra_body={{"prompt": prompt}}):
    print(chunk.choices[0].delta.content or "", end="", flush=True)

# and then find both calls again
weir calls search 'prompt:demo/support-reply' {asking}
"#
    )
}
