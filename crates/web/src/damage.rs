//! What reading found damaged in the stores, for readiness, metrics and the console.

use crate::app::App;

/// What reading found damaged, by store.
pub fn damages(app: &App) -> [(&'static str, &store::Damage); 2] {
    [
        ("journal", app.journal.damage()),
        ("chart", app.chart.damage()),
    ]
}
