//! Which part of a split label a call gets: what it can be told apart by, and what its record says of that.

use std::sync::Arc;

use analytics::Record;
use analytics::record::Exposure;
use dialects::extras::Extras;
use registry::Units;

/// What a call can be told apart by, where a label serves several versions.
pub fn units<'a>(record: &Record, extras: &'a Extras) -> Units<'a> {
    Units {
        call: Some(record.id),
        user: extras.user.as_deref(),
        session: extras.session.as_deref(),
        trace: record.parent_span_id.map(|_| record.trace_id),
        metadata: &extras.metadata,
    }
}

/// The part in an experiment, as it is recorded.
pub fn exposed(exposure: &registry::Exposure) -> Exposure {
    Exposure {
        experiment: Arc::clone(&exposure.experiment),
        arm: Arc::clone(&exposure.arm),
        unit: (&*exposure.unit).into(),
    }
}
