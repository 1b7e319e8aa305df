//! What the inspector tells, read to its end.

use crate::Trouble;
use alloc::string::String;
use alloc::vec::Vec;
use capos_inspect::{Capability, Graph, Place, Process, Reading, Record};
use rt::ExceptionCode;
use rt::generated::InspectorClient;
use rt::schema::inspector::Listing;

/// Letters of a name that are shown.
const NAME: usize = 18;

/// The name of a process, as it can be shown: whoever made the process chose it, so it may be anything.
pub fn name(process: &Process) -> String {
    let name = process.name.as_str();
    let letters = name.chars().map(|c| if c.is_control() { ' ' } else { c });
    if name.chars().count() <= NAME {
        letters.collect()
    } else {
        letters.take(NAME - 1).chain(['…']).collect()
    }
}

/// Everything that one listing tells.
pub struct Listed<R> {
    /// In the order of their places.
    pub records: Vec<R>,
    /// When the last answer was given, nanoseconds since boot.
    pub time_ns: u64,
    /// Nothing came or went within any list while it was read.
    pub whole: bool,
}

/// One listing.
///
/// # Errors
/// [`Trouble::Call`], [`Trouble::Malformed`]
pub async fn all<R: Record>(inspector: &InspectorClient, listing: Listing) -> Result<Listed<R>, Trouble> {
    let (mut reading, mut time_ns) = (Reading::new(), 0);
    while let Some(Place { process, index, epoch }) = reading.next() {
        let answer = match inspector.list(listing, false, process, index, epoch).await {
            Ok(answer) => answer,
            Err(error) if epoch != 0 && error.exception() == Some(ExceptionCode::WrongState) => {
                reading.changed();
                continue;
            }
            Err(error) => return Err(Trouble::Call(error)),
        };
        time_ns = answer.time_ns;
        let next = Place { process: answer.process, index: answer.index, epoch: answer.epoch };
        let heard = reading.heard((!answer.end).then_some(next), answer.length.into(), &answer.records);
        heard.map_err(|_| Trouble::Malformed)?;
    }
    let (records, whole) = reading.finish();
    Ok(Listed { records, time_ns, whole })
}

/// All processes and what they hold; whether nothing changed in the middle of a table.
///
/// # Errors
/// As [`all`].
pub async fn graph(inspector: &InspectorClient) -> Result<(Graph, bool), Trouble> {
    let processes = all::<Process>(inspector, Listing::Processes).await?;
    let held = all::<Capability>(inspector, Listing::Capabilities).await?;
    Ok((Graph::new(processes.records, held.records), processes.whole && held.whole))
}
