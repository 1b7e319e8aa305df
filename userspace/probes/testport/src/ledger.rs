//! The ledger of devices at the end of a run.

use alloc::string::String;
use capos_text::Object;
use rt::generated::SystemInfoClient;
use rt::{CallError, ExceptionCode};

/// How often a function is looked at whose books disagree: its driver may be in the middle of something.
const LOOKS: usize = 5;

/// What the kernel says of all functions, as fields of an event.
pub fn audit(system: &SystemInfoClient) -> Result<String, CallError> {
    let (mut functions, mut disorder, mut kept, mut cursor) = (0u64, 0u64, 0u64, 0);
    let mut wrong = String::new();
    loop {
        let mut books = match system.audit_device_blocking(cursor) {
            Ok(books) => books,
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => break,
            Err(error) => return Err(error),
        };
        for _ in 1..LOOKS {
            if books.wrong.is_empty() {
                break;
            }
            books = system.audit_device_blocking(books.address)?;
        }
        functions += 1;
        kept += u64::from(books.kept_pages);
        disorder += u64::from(!books.wrong.is_empty());
        if wrong.is_empty() {
            wrong = books.wrong;
        }
        cursor = books.next;
    }
    let fields = Object::new().number("functions", functions).number("disorder", disorder);
    Ok(fields.number("kept_pages", kept).text("wrong", &wrong).finish())
}
