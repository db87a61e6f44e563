//! Headers the operator wants sent: `[providers.NAME.headers]`, `[export.headers]`.

use vocab::Secret;

use crate::problem::Wrong;
use crate::reader::Section;
use crate::vars;

/// Reads the table `headers` below `section`; those in `own` are not the operator's to write.
pub(crate) fn read(section: &mut Section<'_, '_>, own: &[&str]) -> Vec<(String, Secret)> {
    let vars = section.reader.vars;
    let mut table = section.section("headers");
    let mut headers = Vec::new();
    for written in table.written_keys() {
        match name(&written) {
            Ok(lower) if own.contains(&lower.as_str()) => {
                table.refuse(&written, "the gateway writes this header itself", "remove it");
                table.accept(&written);
            }
            Ok(lower) => {
                let value = table.parse(&written, "", |text| vars::secret(text, vars));
                headers.extend(value.map(|value| (lower, value)));
            }
            Err(Wrong { wrong, fix }) => {
                table.refuse(&written, &wrong, &fix);
                table.accept(&written);
            }
        }
    }
    table.finish();
    headers
}

/// Reads the name of a header, into lower case.
pub(crate) fn name(text: &str) -> Result<String, Wrong> {
    match http::HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => {
            Err(Wrong::new(format!("`{text}` is not the name of a header"), "write a name such as x-api-key"))
        }
    }
}
