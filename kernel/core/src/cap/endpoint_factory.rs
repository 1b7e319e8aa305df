//! `EndpointFactory`: makes endpoints and notifications.

use super::notification::Notification;
use super::{Call, Object, Outcome};
use crate::ipc::endpoint::{CreateError, Endpoint};
use capos_abi::ExceptionCode;
use capos_schema::endpoint_factory::{CreateNotificationResults, CreateParams, CreateResults};

/// Deepest endpoint.
const DEPTH_MAX: u32 = 1024;

/// Makes endpoints and notifications at the expense of whoever calls.
#[derive(Clone)]
pub(crate) struct EndpointFactory;

impl EndpointFactory {
    pub(super) fn create(&self, call: &mut Call<'_>, params: CreateParams) -> Outcome {
        if !(1..=DEPTH_MAX).contains(&params.depth) {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        let right = match Endpoint::create(params.depth, &call.process().account) {
            Ok(right) => right,
            Err(CreateError::OutOfMemory) => return Outcome::exception(ExceptionCode::OutOfMemory),
            Err(CreateError::BudgetExhausted) => return Outcome::exception(ExceptionCode::BudgetExhausted),
        };
        match call.give(Object::Endpoint(right)) {
            Ok(()) => call.reply(&CreateResults),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn create_notification(&self, call: &mut Call<'_>) -> Outcome {
        let notification = match Notification::create(&call.process().account) {
            Ok(notification) => notification,
            Err(code) => return Outcome::exception(code),
        };
        match call.give(Object::Notification(notification)) {
            Ok(()) => call.reply(&CreateNotificationResults),
            Err(outcome) => outcome,
        }
    }
}
