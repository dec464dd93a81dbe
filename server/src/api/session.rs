//! Signing in to the web application. A browser keeps a cookie that no script can read and that no other site's page sends
//! along; the page proves with every request that it is ours by a value that only it was told.

use super::body::Body;
use super::caller::{Peer, Secured, refusal};
use super::{Api, ApiError, Caller};
use crate::access::{Login, TRANSFER_USER};
use crate::config::check_name;
use crate::node_path::NodePath;
use crate::password::MAX_PASSWORD;
use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The header in which a page of ours proves that it is one.
pub(super) const PROOF: HeaderName = HeaderName::from_static("x-godwit-proof");
/// The cookie's name where browsers hold it to this host and to encrypted connections, and where they cannot.
const COOKIES: [&str; 2] = ["__Host-godwit", "godwit"];
/// What the SDK's app ids are made for.
const APP_ID: &str = "godwit-server 2026-11-21 web application app_id";

#[derive(Deserialize)]
pub(super) struct SignIn {
    user: String,
    password: Secret,
}

fn cookie_name(secured: Secured) -> &'static str {
    COOKIES[usize::from(!secured.0)]
}

/// The cookie's value, if it has the form of one.
fn cookie(headers: &HeaderMap, secured: Secured) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(name, _)| *name == cookie_name(secured)).map(|(_, value)| value)?;
    (value.len() == 43).then(|| value.to_owned())
}

/// The login behind a page's request.
pub(super) async fn login(parts: &Parts, api: &Api, proof: &str) -> Result<Login, ApiError> {
    let secured = parts.extensions.get().copied().unwrap_or(Secured(false));
    let cookie = cookie(&parts.headers, secured).ok_or_else(ApiError::signed_out)?;
    if !api.access.sessions().proves(&cookie, proof) {
        return Err(ApiError::signed_out());
    }
    let login = api.access.signed_in(&cookie).await.map_err(|refused| refusal(&refused).for_page())?;
    login.ok_or_else(ApiError::signed_out)
}

/// What a page must know of the server before anybody signs in.
fn about(api: &Api) -> Value {
    let web = &api.access.directory().settings().web;
    json!({
        "sdk": web.sdk.is_some(),
        "install_url": web.install_url,
        "data_port": api.data_port,
        "fingerprint": api.fingerprint(),
        "transfer_user": TRANSFER_USER,
        "share_seconds": web.share_seconds,
    })
}

fn state(api: &Api, login: &Login, proof: &str) -> Value {
    let name = &login.principal.name;
    let mut state = about(api);
    state["user"] = json!(name);
    state["proof"] = json!(proof);
    state["rights"] = json!(login.principal.files.rights(&NodePath::ROOT));
    state["content_protection_required"] = json!(login.principal.files.is_encrypted_only());
    state["app_id"] = json!(app_id(api, "user", name));
    state
}

/// The same for each visit: the SDK shows a page the transfers of its app id. Nobody else can make it up.
pub(super) fn app_id(api: &Api, kind: &str, name: &str) -> String {
    STANDARD.encode(api.access.tokens().derive(APP_ID, &format!("{kind} {name}")))
}

/// Who is signed in. A page of another site cannot read the answer, and its request comes without the cookie.
pub(super) async fn who(
    State(api): State<Arc<Api>>,
    Extension(secured): Extension<Secured>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    if let Some(cookie) = cookie(&headers, secured) {
        let login = api.access.signed_in(&cookie).await.map_err(|refused| refusal(&refused).for_page())?;
        if let Some(login) = login {
            let proof = api.access.sessions().proof(&cookie);
            return Ok(Json(state(&api, &login, &proof)));
        }
    }
    Ok(Json(about(&api)))
}

pub(super) async fn sign_in(
    State(api): State<Arc<Api>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(secured): Extension<Secured>,
    Body(wish): Body<SignIn>,
) -> Result<Response, ApiError> {
    if check_name(&wish.user).is_err() || wish.password.expose().len() > MAX_PASSWORD {
        return Err(ApiError::unauthenticated().for_page());
    }
    let signed_in = api.access.sign_in(peer.ip(), &wish.user, wish.password).await;
    let (login, opened) = signed_in.map_err(|refused| refusal(&refused).for_page())?;
    tracing::info!(%peer, user = ?login.principal.name, "signed in to the web application");
    let mut response = Json(state(&api, &login, &opened.proof)).into_response();
    set_cookie(&mut response, secured, opened.cookie.expose(), "")?;
    Ok(response)
}

/// Ends the session of the cookie; there may be none.
pub(super) async fn sign_out(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Extension(secured): Extension<Secured>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(cookie) = cookie(&headers, secured) {
        api.access.sessions().close(&cookie);
    }
    tracing::info!(user = ?caller.principal.name, "signed out of the web application");
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, secured, "", "; Max-Age=0")?;
    Ok(response)
}

/// Without an end of its own: it goes with the browser, and the session behind it has its own limits.
fn set_cookie(response: &mut Response, secured: Secured, value: &str, more: &str) -> Result<(), ApiError> {
    let only = if secured.0 { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{only}{more}", cookie_name(secured));
    let value = HeaderValue::from_str(&text).map_err(|_| ApiError::internal())?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(())
}
