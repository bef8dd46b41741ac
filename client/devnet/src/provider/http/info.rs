//! What the server says about itself: public, without a signature.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

/// The description of the market, written for this server after Curio's; Curio's own is served by Curio.
const SWAGGER: &str = include_str!("swagger.json");

/// `GET /market/mk20/info/swagger.json`.
pub async fn json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], SWAGGER).into_response()
}

/// `GET /market/mk20/info/swagger.yaml`: JSON is YAML, too.
pub async fn yaml() -> Response {
    ([(header::CONTENT_TYPE, "application/x-yaml")], SWAGGER).into_response()
}

/// `GET /market/mk20/info/`.
pub async fn page() -> Html<&'static str> {
    Html("<!doctype html><title>Market 2.0</title><p>The API: <a href=\"swagger.json\">swagger.json</a>\n")
}

/// `GET /info`.
pub async fn server() -> Response {
    let server = concat!(r#"{"Version":"0.4.0", "Server": "Bauta devnet/"#, env!("CARGO_PKG_VERSION"), r#""}"#);
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], server).into_response()
}
