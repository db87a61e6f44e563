//! Text as search compares it.
