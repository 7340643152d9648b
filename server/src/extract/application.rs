//! The application's own data.

use actix_web::web;

use super::FromSession;
use crate::complaints::limited;
use crate::failure::{Failure, INTERNAL};
use crate::node::SessionContext;

impl<T: ?Sized + 'static> FromSession for web::Data<T> {
    fn from_session(context: &SessionContext<'_>) -> Result<Self, Failure> {
        context.request.app_data::<Self>().cloned().ok_or_else(|| {
            limited!(
                "a handler wants web::Data<{}>, which the application has not registered with \
                    app_data",
                std::any::type_name::<T>()
            );
            Failure::new(INTERNAL)
        })
    }
}
