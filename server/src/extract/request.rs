//! Whatever actix can take from a request.

use actix_web::{FromRequest, HttpRequest, dev};

use super::FromConnect;
use crate::refusal::Refusal;

impl<T: FromRequest + 'static, C> FromConnect<C> for T {
    type Taking = T::Future;

    fn take(request: &HttpRequest) -> Self::Taking {
        T::from_request(request, &mut dev::Payload::None)
    }

    fn from_connect(taken: Result<T, T::Error>, _: &C) -> Result<Self, Refusal> {
        taken.map_err(|error| Refusal::from(error.into()))
    }
}
