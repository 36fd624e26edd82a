//! Late data: what comes in after a publication is taken up by whom it concerns, and by nobody else.

mod day;
mod events;
mod processes;
mod replay;
mod vendor;
mod watched;
