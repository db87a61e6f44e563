//! `weir check`: the configuration's problems, each with file, line and fix.

use std::process::ExitCode;

use super::{ServeArguments, complain, say};

/// Prints every problem; exit code 1 if there is any.
pub fn run(arguments: &ServeArguments) -> ExitCode {
    match arguments.load() {
        Ok(config) => {
            for notice in &config.notices {
                say(&format!("note: {notice}"));
            }
            let providers: Vec<&str> = config.providers.iter().map(|provider| &*provider.name).collect();
            say(&format!("the configuration is sound; providers: {}", providers.join(", ")));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            complain(&problems.to_string());
            ExitCode::FAILURE
        }
    }
}
