//! `up console assert reboot down cycle prune`: the lab's machine by hand, with what it boots from freshly built.

use lab::case::parse_duration;
use lab::hand::Hand;
use lab::library;
use lab::matrix::SubCase;

use crate::command_line::HandVerb;
use crate::exec::Failure;
use crate::house::House;
use crate::kitchen::Pantry;
use crate::smoke;

/// The case that `up` starts when none is named: the shipped system, as a person would use it.
const SHIPPED: &str = "why = 'by hand'\nends = 'session'\nsession = [{ expect = '> ' }]\n\
                       [system]\nname = 'default'\n[machine]\ncpus = 2\nmemory = '512M'\n";

/// Carries out one verb.
pub fn carry_out(house: &House, verb: HandVerb) -> Result<bool, Failure> {
    let hand = Hand::new(&house.lab());
    match verb {
        HandVerb::Up { case } => println!("{}", up(house, &hand, case.as_deref())?),
        HandVerb::Console => hand.console().map_err(Failure::new)?,
        HandVerb::Assert { pattern, .. } if pattern.is_empty() => {
            return Err(Failure::new("wait for what? `make assert MATCH='capos> '`, say"));
        }
        HandVerb::Assert { pattern, line, within } => {
            let patience = parse_duration(&within)
                .ok_or_else(|| Failure::new(format!("`{within}` is not a time like 250ms, 20s or 2m")))?;
            println!("{}", hand.assert(&pattern, line.as_deref(), patience).map_err(Failure::new)?);
        }
        HandVerb::Reboot => println!("{}", hand.reboot().map_err(Failure::new)?),
        HandVerb::Down => println!("{} is down", hand.down().map_err(Failure::new)?),
        HandVerb::Cycle => {
            let case = hand.down().map_err(Failure::new)?;
            let named = (case != shipped()?.name).then_some(case);
            println!("{}", up(house, &hand, named.as_deref())?);
        }
        HandVerb::Prune => println!("{} old runs removed", hand.prune().map_err(Failure::new)?),
    }
    Ok(true)
}

fn up(house: &House, hand: &Hand, name: Option<&str>) -> Result<String, Failure> {
    let case = match name {
        Some(name) => only(name, smoke::select(house, name)?)?,
        None => shipped()?,
    };
    let cases = [case];
    let pantry = Pantry::stock(house, &cases)?;
    let [case] = &cases;
    hand.up(case, &pantry).map_err(Failure::new)
}

fn only(name: &str, mut cases: Vec<SubCase>) -> Result<SubCase, Failure> {
    match (cases.pop(), cases.len()) {
        (Some(case), 0) => Ok(case),
        (_, more) => Err(Failure::new(format!(
            "`{name}` stands for {} sub-cases; name one (see `cargo cap list`)",
            more + 1
        ))),
    }
}

fn shipped() -> Result<SubCase, Failure> {
    let mut cases = library::read("hand-shipped", "hand", SHIPPED).map_err(Failure::new)?;
    cases.pop().ok_or_else(|| Failure::new("the shipped case is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_case_is_sound() {
        assert_eq!(shipped().unwrap().name, "hand-shipped");
    }

    #[test]
    fn a_family_is_not_one_machine() {
        let two = library::read("x-y", "x", "why = 'a'\n[matrix]\ncpus = [1, 2]").unwrap();
        assert!(only("x-y", two).unwrap_err().to_string().contains("2 sub-cases"));
    }
}
