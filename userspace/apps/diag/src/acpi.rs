//! ACPI tables, and what those say that the kernel reads.

use crate::machine::{LIMIT, item};
use crate::{Trouble, shapes};
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Report, Value};
use rt::generated::SystemInfoClient;

pub(crate) async fn all(system: &SystemInfoClient) -> Result<Vec<Report>, Trouble> {
    let (mut tables, mut facts) = (shapes::ACPI.report(), shapes::ACPI_FACT.report());
    for index in 0..LIMIT {
        let Some(table) = item(system.acpi_table(index).await)? else { break };
        let name: String = table.signature;
        tables.row([Value::text(&name), Value::number(table.revision), Value::number(table.length)]);
        add_facts(system, index, &name, &mut facts).await?;
    }
    Ok(alloc::vec![tables, facts])
}

async fn add_facts(
    system: &SystemInfoClient,
    table: u32,
    name: &str,
    report: &mut Report,
) -> Result<(), Trouble> {
    for index in 0..LIMIT {
        if report.is_full() {
            break;
        }
        let Some(fact) = item(system.acpi_fact(table, index).await)? else { break };
        report.row([Value::text(name), Value::Text(fact)]);
    }
    Ok(())
}
