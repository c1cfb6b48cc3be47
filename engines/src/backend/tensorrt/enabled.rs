//! From a folder to a network on a card: the card, the library, the plan, the engine, in this order.

use crate::backend::interface::choose_precision;
use crate::cuda::driver::Card;
use crate::cuda::engine::CardEngine;
use crate::cuda::flow::{SIZES, failed};
use crate::cuda::{self, nvidia};
use crate::engine::{Engine, Options, Precision, Progress};
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::plan::{self, FLAVOUR, Plan, PlanOptions, PlanPrecision, TensorRt};

/// The card that is used: the first.
const ORDINAL: usize = 0;

/// Whether there is a card, and the library.
///
/// # Errors
/// [`EngineError`] saying what is missing.
pub fn available() -> Result<(), EngineError> {
    card()?;
    plan::available().map(drop)
}

fn card() -> Result<Card, EngineError> {
    nvidia::available(ORDINAL).map_err(failed("opening"))
}

/// Makes the plan of a folder for this machine's card, if there is none yet.
///
/// # Errors
/// As [`open`].
pub fn prepare(
    folder: &EngineFolder,
    options: &Options,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), EngineError> {
    plan_for(folder, options, &card()?, progress).map(drop)
}

/// Opens a folder on the card.
///
/// # Errors
/// [`EngineError`]: no card, driver or library that can be used; a precision other than f16 or f32; a network's file that is not the
/// manifest's; a plan that was changed, or that the library refuses; memory is used up.
pub fn open(folder: &EngineFolder, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    let card = card()?;
    let plan = plan_for(folder, options, &card, &|_progress| {})?;
    let driver = cuda::open(ORDINAL)?;
    let network = TensorRt::load(&plan, &card)?;
    #[cfg(feature = "tensorrt-rtx")]
    let kernels = network.kernels();
    let precision = match plan.description.precision {
        PlanPrecision::F16 => Precision::F16,
        PlanPrecision::F32 => Precision::F32,
    };
    let how = (FLAVOUR.name, precision, plan.description.largest_batch);
    let engine = CardEngine::new(driver, Box::new(network), folder, how)?;
    // Now they are what the library compiled for this card while the graphs were recorded: the next start is quick.
    #[cfg(feature = "tensorrt-rtx")]
    kernels.keep();
    Ok(Box::new(engine))
}

fn plan_for(
    folder: &EngineFolder,
    options: &Options,
    card: &Card,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Plan, EngineError> {
    let known = [Precision::F16, Precision::F32];
    let precision = match choose_precision(options.precision, FLAVOUR.name, &known)? {
        Precision::F32 => PlanPrecision::F32,
        _ => PlanPrecision::F16,
    };
    let largest_batch =
        if options.largest_batch == 0 { SIZES[SIZES.len() - 1] } else { options.largest_batch };
    let own = FLAVOUR.needs_card || plan::needs_own_plan(card.capability);
    let capability = own.then_some(card.capability);
    let options = PlanOptions { precision, largest_batch, capability };
    plan::build(folder, &options, &plan::cache()?, progress)
}
