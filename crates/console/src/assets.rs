//! Static files: compiled in, named by their content hash, and cached by the browser for a year.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A file under `/assets`.
struct Asset {
    /// The name with the hash in it: `console.1f3a9c2d4e5b.css`.
    address: String,
    media: &'static str,
    bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: [(&str, &str, &[u8]); 15] = [
    ("base.css", CSS, include_bytes!("../assets/base.css")),
    ("frame.css", CSS, include_bytes!("../assets/frame.css")),
    ("parts.css", CSS, include_bytes!("../assets/parts.css")),
    (
        "overview.css",
        CSS,
        include_bytes!("../assets/overview.css"),
    ),
    (
        "messages.css",
        CSS,
        include_bytes!("../assets/messages.css"),
    ),
    ("chart.css", CSS, include_bytes!("../assets/chart.css")),
    ("maps.css", CSS, include_bytes!("../assets/maps.css")),
    ("maps.js", SCRIPT, include_bytes!("../assets/maps.js")),
    ("batch.js", SCRIPT, include_bytes!("../assets/batch.js")),
    ("times.js", SCRIPT, include_bytes!("../assets/times.js")),
    ("keys.js", SCRIPT, include_bytes!("../assets/keys.js")),
    ("panel.js", SCRIPT, include_bytes!("../assets/panel.js")),
    ("fresh.js", SCRIPT, include_bytes!("../assets/fresh.js")),
    ("live.js", SCRIPT, include_bytes!("../assets/live.js")),
    ("mark.svg", SVG, include_bytes!("../assets/mark.svg")),
];

static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> = LazyLock::new(|| {
    let asset = |(name, media, bytes): (&'static str, &'static str, &'static [u8])| {
        let hash = super::markup::hex(&Sha256::digest(bytes), 6);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let address = format!("{stem}.{hash}.{ending}");
        (
            name,
            Asset {
                address,
                media,
                bytes,
            },
        )
    };
    FILES.into_iter().map(asset).collect()
});

/// Returns the address of a file, such as `/assets/console.1f3a9c2d4e5b.css`.
pub(super) fn address(name: &str) -> String {
    let file = ASSETS
        .get(name)
        .map_or(name, |asset| asset.address.as_str());
    format!("/assets/{file}")
}

/// Handles `GET /assets/{name}`.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.values().find(|asset| asset.address == name) else {
        return (StatusCode::NOT_FOUND, "no such file; reload the page\n").into_response();
    };
    let headers = [
        (CONTENT_TYPE, asset.media),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_content() {
        let address = address("base.css");
        let parts: Vec<&str> = address.split('.').collect();
        assert!(
            matches!(parts.as_slice(), ["/assets/base", _, "css"]),
            "{address}"
        );
        assert_eq!(address.len(), "/assets/base..css".len() + 12);
    }

    #[test]
    fn nothing_inline_and_nothing_from_elsewhere() {
        for (name, _, bytes) in FILES {
            let text = String::from_utf8_lossy(bytes);
            for wrong in [
                "http://",
                "https://",
                "localStorage",
                "sessionStorage",
                "eval(",
            ] {
                let allowed = name == "mark.svg" && wrong == "http://";
                assert!(allowed || !text.contains(wrong), "{name}: {wrong}");
            }
        }
    }

    /// Computes the relative luminance of `#rrggbb` (WCAG 2.2, 1.4.3).
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let byte = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let c = f64::from(byte) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn every_text_has_enough_contrast_on_every_background() {
        let css = include_str!("../assets/base.css");
        for (theme, at) in [("light", 0), ("dark", 1)] {
            // Matches a line such as `--text: light-dark(#14202b, #e3eaf0);`.
            let token = |name: &str| {
                let value = css.split(&format!("--{name}: light-dark(")).nth(1);
                let value = value.unwrap_or_else(|| panic!("no token {name}"));
                let both = value.split(')').next().unwrap();
                both.split(", ").nth(at).unwrap()
            };
            let mut pairs = vec![("on-accent", "accent")];
            for text in ["text", "soft", "accent", "good", "wait", "bad", "hold"] {
                pairs.extend(["ground", "sheet", "sunk"].map(|ground| (text, ground)));
            }
            for state in ["accent", "good", "wait", "bad", "hold"] {
                pairs.push((state, Box::leak(format!("{state}-ground").into_boxed_str())));
            }
            pairs.extend([
                ("text", "mark"),
                ("soft", "mark"),
                ("text", "wait-ground"),
                ("text", "bad-ground"),
            ]);
            for (text, ground) in pairs {
                let (one, other) = (luminance(token(text)), luminance(token(ground)));
                let ratio = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(4.5 <= ratio, "{theme}: {text} on {ground}: {ratio:.2}");
            }
        }
    }
}
