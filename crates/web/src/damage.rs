//! Damage found while reading the stores, for readiness, metrics and the console.

use crate::app::App;

/// Returns the damage found while reading, by store.
pub fn damages(app: &App) -> [(&'static str, &store::Damage); 2] {
    [
        ("journal", app.journal.damage()),
        ("chart", app.chart.damage()),
    ]
}
