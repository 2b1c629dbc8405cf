//! Authentication: turns a session cookie or a bearer token into a principal.
//!
//! A request with a token is authenticated by the token alone, even if it also carries a cookie. A
//! cookie authenticates a write only together with the session's CSRF token, so that a page on
//! another site cannot write in the name of the logged-in user.

use crate::app::App;
use access::{Principal, Scopes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use base::Purpose;
use security::{Bearer, Session, TokenError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The scope of the operator's commands: everything that the administrator may do in the console.
pub const ADMINISTRATOR_SCOPE: &str = "causeway/administrator";

/// The name of the session cookie.
pub const COOKIE_NAME: &str = "causeway_session";

/// The header that carries the CSRF token when a form field cannot.
const CSRF_HEADER: &str = "x-csrf-token";

/// The header that states the purpose of use of a request with a token, as a v3-PurposeOfUse code.
const PURPOSE_HEADER: &str = "x-purpose-of-use";

/// The cookie that records that a console user has asked for emergency access. It grants no rights
/// and only sets the purpose that the audit log records.
pub const PURPOSE_COOKIE: &str = "causeway_purpose";

/// The authenticated caller of a request and the request's origin.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The authenticated principal.
    pub principal: Principal,
    /// The purpose of use.
    pub purpose: Purpose,
    /// The origin of the request.
    pub origin: Origin,
    /// The console session, if the caller has one.
    pub session: Option<Session>,
}

/// The origin of a request and the id under which logs refer to it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The peer's address.
    pub address: IpAddr,
    /// The value of `X-Request-Id`, or an id generated here.
    pub request_id: String,
}

/// The reason why a request is not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// Neither a cookie nor a token was sent.
    #[error("log in, or send a bearer token (`causeway token` creates one)")]
    Missing,
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token's scopes cannot be read.
    #[error(
        "the token's scopes cannot be parsed; create another token with `causeway token --scope`"
    )]
    Scopes,
    /// The stated purpose of use is not a known code.
    #[error(
        "`X-Purpose-Of-Use` must be TREAT, ETREAT, HOPERAT, PATRQT or PUBHLTH; without the header, \
         the purpose is TREAT"
    )]
    Purpose,
    /// A write came with a cookie but without the page's CSRF token.
    #[error("the page's CSRF token is missing or out of date; reload the page and try again")]
    Csrf,
    /// The session was opened with the first-login secret, which permits nothing but choosing a
    /// password.
    #[error(
        "choose your password first, at /password; the first-login secret gives access to \
     nothing else"
    )]
    ChooseFirst,
}

// === impl Caller ===

impl Caller {
    /// Authenticates a request from its headers. A request with side effects (any method but GET
    /// and HEAD) that uses a cookie needs the CSRF token in a header. A handler whose form carries
    /// the token as a field calls [`Caller::of_page`] and checks it itself.
    pub fn of_request(app: &App, parts: &Parts) -> Result<Self, Unauthenticated> {
        let caller = Self::of_page(app, parts)?;
        let is_safe = matches!(parts.method, Method::GET | Method::HEAD);
        if let (false, Some(session)) = (is_safe, &caller.session) {
            let given = parts
                .headers
                .get(CSRF_HEADER)
                .and_then(|value| value.to_str().ok());
            if !session.csrf_matches(given.unwrap_or("")) {
                return Err(Unauthenticated::Csrf);
            }
        }
        Ok(caller)
    }

    /// Works like [`Caller::of_request`], but leaves the check of the CSRF token to the handler.
    pub fn of_page(app: &App, parts: &Parts) -> Result<Self, Unauthenticated> {
        let caller = Self::of_any_session(app, parts)?;
        let session = caller.session.as_ref();
        if session.is_some_and(|session| session.must_choose_password) {
            return Err(Unauthenticated::ChooseFirst);
        }
        Ok(caller)
    }

    /// Works like [`Caller::of_page`], but also accepts the first-login secret. Only for choosing a
    /// password and logging out.
    pub fn of_any_session(app: &App, parts: &Parts) -> Result<Self, Unauthenticated> {
        let origin = Origin::of(parts);
        if let Some(value) = parts.headers.get(AUTHORIZATION) {
            let token = value
                .to_str()
                .ok()
                .and_then(|text| text.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim())
                .ok_or(TokenError::Invalid)?;
            let bearer = app.tokens.check(token, app.clock.now())?;
            let principal = principal(bearer)?;
            return Ok(Self {
                principal,
                purpose: stated_purpose(&parts.headers)?,
                origin,
                session: None,
            });
        }
        let cookie = session_cookie(&parts.headers).ok_or(Unauthenticated::Missing)?;
        // Requests that a page makes on its own do not keep its session alive.
        let is_by_itself = parts.headers.contains_key(LIVE_HEADER);
        let session = if is_by_itself {
            app.sessions.peek(cookie, app.clock.now())
        } else {
            app.sessions.find(cookie, app.clock.now())
        };
        let session = session.ok_or(Unauthenticated::Missing)?;
        let principal = Principal::Administrator {
            name: session.user.clone(),
        };
        let purpose = cookie_named(&parts.headers, PURPOSE_COOKIE).and_then(Purpose::of_code);
        Ok(Self {
            principal,
            purpose: purpose.unwrap_or(Purpose::Treatment),
            origin,
            session: Some(session),
        })
    }

    /// Returns the name that the audit log records.
    pub fn actor(&self) -> String {
        self.principal.actor()
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = crate::failure::Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let caller = Self::of_request(app, parts);
        if let Err(error) = &caller {
            crate::trail::record_unauthenticated(app, &Origin::of(parts), *error).await;
        }
        caller.map_err(crate::failure::Failure::from)
    }
}

// === impl Origin ===

impl Origin {
    /// Reads the origin from a request's head.
    pub fn of(parts: &Parts) -> Self {
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| {
                address.ip()
            });
        let request_id = parts
            .headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(|id| {
                (1..=64).contains(&id.len())
                    && id
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            })
            .map_or_else(security::random_text::<9>, str::to_owned);
        Self {
            address,
            request_id,
        }
    }
}

/// The header of a request that a page makes on its own to refresh live figures.
const LIVE_HEADER: &str = "x-live";

/// Returns the value of the session cookie.
pub fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_named(headers, COOKIE_NAME)
}

fn stated_purpose(headers: &HeaderMap) -> Result<Purpose, Unauthenticated> {
    let Some(stated) = headers.get(PURPOSE_HEADER) else {
        return Ok(Purpose::Treatment);
    };
    let code = stated.to_str().unwrap_or("").trim();
    Purpose::of_code(code).ok_or(Unauthenticated::Purpose)
}

fn cookie_named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

fn principal(bearer: Bearer) -> Result<Principal, Unauthenticated> {
    let Bearer {
        id,
        scope,
        patients,
        ..
    } = bearer;
    if scope
        .split_whitespace()
        .any(|word| word == ADMINISTRATOR_SCOPE)
    {
        return Ok(Principal::Administrator {
            name: format!("token {id}"),
        });
    }
    let scopes: Scopes = scope.parse().map_err(|_| Unauthenticated::Scopes)?;
    Ok(Principal::Token {
        id,
        scopes,
        patients,
    })
}
