//! A placeholder: only the WebSocket frame codec exists yet.
#[allow(dead_code, unused_imports, reason = "nothing uses it yet")]
mod transport {
    mod websocket {
        mod frames;
    }
}
