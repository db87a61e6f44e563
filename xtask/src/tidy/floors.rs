//! Which crate may use which: four floors, each uses lower ones only, and some dependencies belong to some rooms only.

use serde_json::Value;

use crate::tidy::Finding;

/// The crates by floor. Crates of one floor do not know each other.
const FLOORS: [(&str, usize); 6] =
    [("vocab", 0), ("dialects", 1), ("config", 1), ("registry", 2), ("analytics", 2), ("gateway", 3)];

/// Crates that are no part of the program; nothing of the program uses them.
const OUTSIDE: [&str; 2] = ["benches", "xtask"];

/// Dependencies that only some crates may have.
struct Room {
    dependencies: &'static [&'static str],
    residents: &'static [&'static str],
    why: &'static str,
}

const ROOMS: [Room; 3] = [
    Room {
        dependencies: &["axum", "hyper", "hyper-util"],
        residents: &["gateway"],
        why: "only the gateway speaks HTTP",
    },
    Room {
        dependencies: &["rusqlite", "sqlx"],
        residents: &["registry", "analytics"],
        why: "only the stores know SQL",
    },
    Room {
        dependencies: &["tokio"],
        residents: &["registry", "analytics", "gateway"],
        why: "the lower floors have no tasks and no sockets",
    },
];

/// Checks every member's dependencies; those for tests may reach anywhere.
pub(crate) fn check(metadata: &Value) -> Vec<Finding> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let members = packages.iter().filter(|package| package["source"].is_null());
    let mut findings = Vec::new();
    for member in members {
        let name = member["name"].as_str().unwrap_or_default();
        let used = member["dependencies"].as_array().unwrap_or(&empty);
        for dependency in used.iter().filter(|dependency| dependency["kind"].is_null()) {
            let dependency = dependency["name"].as_str().unwrap_or_default();
            findings.extend(refusal(name, dependency).map(|what| Finding {
                place: format!("{name}/Cargo.toml"),
                what: format!("{name} uses {dependency}: {what}"),
            }));
        }
    }
    findings
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, floor)| *floor)
}

/// Why the crate `name` may not depend on `dependency`.
fn refusal(name: &str, dependency: &str) -> Option<&'static str> {
    if OUTSIDE.contains(&name) {
        return None;
    }
    let Some(own) = floor(name) else {
        return Some("a new crate needs its floor in xtask/src/tidy/floors.rs");
    };
    if OUTSIDE.contains(&dependency) || floor(dependency).is_some_and(|other| other >= own) {
        return Some("a crate uses lower floors only");
    }
    let room = ROOMS.iter().find(|room| room.dependencies.contains(&dependency))?;
    (!room.residents.contains(&name)).then_some(room.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_uses_lower_floors_only() {
        assert_eq!(refusal("gateway", "registry"), None);
        assert_eq!(refusal("registry", "dialects"), None);
        assert_eq!(refusal("benches", "gateway"), None);
        for (name, dependency) in [("dialects", "config"), ("registry", "analytics"), ("vocab", "dialects")] {
            assert_eq!(
                refusal(name, dependency),
                Some("a crate uses lower floors only"),
                "{name} -> {dependency}"
            );
        }
    }

    #[test]
    fn some_dependencies_belong_to_some_crates() {
        assert!(refusal("dialects", "tokio").is_some());
        assert!(refusal("gateway", "rusqlite").is_some());
        assert!(refusal("registry", "axum").is_some());
        assert_eq!(refusal("gateway", "hyper"), None);
    }
}
