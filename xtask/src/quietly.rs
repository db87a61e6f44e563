//! Commands whose output matters only when they fail.

use std::process::Command;

/// Runs a command and shows what it printed only if it fails.
pub(crate) fn quietly(command: &mut Command, failed: &str) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            eprintln!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            Err(failed.to_owned())
        }
        Err(error) => Err(format!("{failed}: {error}")),
    }
}
