//! What cannot be read, and where.

use crate::schedule::{Cron, Fault, Field};

/// Expression, field, column, and a part of what is said.
const WRONG: &[(&str, Option<Field>, usize, &str)] = &[
    ("", None, 1, "5 or 6 fields, this one has 0"),
    ("   ", None, 1, "this one has 0"),
    ("* * * *", None, 8, "this one has 4"),
    ("  * * *  ", None, 8, "this one has 3"),
    ("* * * * * * *", None, 13, "this one has 7"),
    ("0 0 1 1 * 2026 *", None, 16, "this one has 7"),
    ("60 * * * *", Some(Field::Minute), 1, "`60` is not allowed; write 0 to 59"),
    ("60 * * * * *", Some(Field::Second), 1, "`60` is not allowed; write 0 to 59"),
    ("* 60 * * * *", Some(Field::Minute), 3, "`60`"),
    ("* 24 * * *", Some(Field::Hour), 3, "`24` is not allowed; write 0 to 23"),
    ("* * 0 * *", Some(Field::DayOfMonth), 5, "`0` is not allowed; write 1 to 31"),
    ("* * 32 * *", Some(Field::DayOfMonth), 5, "`32`"),
    ("* * * 0 *", Some(Field::Month), 7, "`0` is not allowed; write 1 to 12, or JAN to DEC"),
    ("* * * 13 *", Some(Field::Month), 7, "`13`"),
    ("* * * * 8", Some(Field::DayOfWeek), 9, "`8` is not allowed; write 0 to 7, or SUN to SAT"),
    ("* * * JANUARY *", Some(Field::Month), 7, "`JANUARY`"),
    ("* * * MON *", Some(Field::Month), 7, "`MON`"),
    ("* * * * FEB", Some(Field::DayOfWeek), 9, "`FEB`"),
    ("MON * * * *", Some(Field::Minute), 1, "`MON`"),
    ("0  0\t* * XYZ", Some(Field::DayOfWeek), 10, "`XYZ`"),
    ("1,2,99 * * * *", Some(Field::Minute), 5, "`99`"),
    ("1,,2 * * * *", Some(Field::Minute), 3, "an entry of the list is empty"),
    (",1 * * * *", Some(Field::Minute), 1, "an entry of the list is empty"),
    ("* 1, * * *", Some(Field::Hour), 5, "an entry of the list is empty"),
    ("5-99 * * * *", Some(Field::Minute), 3, "`99`"),
    ("5- * * * *", Some(Field::Minute), 3, "a value is missing; write 0 to 59"),
    ("-5 * * * *", Some(Field::Minute), 1, "a value is missing"),
    ("1-2-3 * * * *", Some(Field::Minute), 3, "`2-3`"),
    ("*-5 * * * *", Some(Field::Minute), 1, "`*`"),
    ("** * * * *", Some(Field::Minute), 1, "`**`"),
    ("+5 * * * *", Some(Field::Minute), 1, "`+5`"),
    ("1.5 * * * *", Some(Field::Minute), 1, "`1.5`"),
    ("99999999999 * * * *", Some(Field::Minute), 1, "`99999999999`"),
    ("*/0 * * * *", Some(Field::Minute), 3, "a step of `0` is not allowed; write 1 to 59"),
    ("*/60 * * * *", Some(Field::Minute), 3, "a step of `60`"),
    ("* */24 * * *", Some(Field::Hour), 5, "a step of `24` is not allowed; write 1 to 23"),
    ("*/ * * * *", Some(Field::Minute), 3, "a step is missing; write 1 to 59"),
    ("*/2/3 * * * *", Some(Field::Minute), 3, "a step of `2/3`"),
    ("*/MON * * * *", Some(Field::Minute), 3, "a step of `MON`"),
    ("/5 * * * *", Some(Field::Minute), 1, "a value is missing"),
    ("? * * * *", Some(Field::Minute), 1, "`?`"),
    ("* * 1,? * *", Some(Field::DayOfMonth), 7, "`?`"),
    ("* * * * ?/2", Some(Field::DayOfWeek), 9, "`?`"),
    ("L * * * *", Some(Field::Minute), 1, "`L`"),
    ("* * L-0 * *", Some(Field::DayOfMonth), 7, "`0` days before the last is not allowed; write 1 to 30"),
    ("* * L-31 * *", Some(Field::DayOfMonth), 7, "`31` days before"),
    ("* * L-3W * *", Some(Field::DayOfMonth), 7, "`3W` days before"),
    ("* * 3L * *", Some(Field::DayOfMonth), 5, "`3L`"),
    ("* * W * *", Some(Field::DayOfMonth), 5, "a value is missing"),
    ("* * 0W * *", Some(Field::DayOfMonth), 5, "`0`"),
    ("* * 1-15W * *", Some(Field::DayOfMonth), 5, "`1-15`"),
    ("* * MON#1 * *", Some(Field::DayOfMonth), 5, "`MON#1`"),
    ("* * * * L", Some(Field::DayOfWeek), 9, "`L` needs a weekday in front"),
    ("* * * * 15W", Some(Field::DayOfWeek), 9, "`15W`"),
    ("* * * * MON#6", Some(Field::DayOfWeek), 13, "`6` behind the `#` is not allowed; write 1 to 5"),
    ("* * * * MON#0", Some(Field::DayOfWeek), 13, "`0` behind"),
    ("* * * * MON#", Some(Field::DayOfWeek), 13, "`` behind"),
    ("* * * * #2", Some(Field::DayOfWeek), 9, "a value is missing"),
    ("* * * * MON-FRI#2", Some(Field::DayOfWeek), 9, "`MON-FRI`"),
    ("* * * * TUE,XL", Some(Field::DayOfWeek), 13, "`X`"),
    ("@reboot", None, 1, "`@reboot` is not known; write one of @hourly, @daily"),
    (" @every 5m", None, 11, "this one has 2"),
    ("0 0 * * M\u{f6}N", None, 10, "the character `\\u{f6}` is not allowed"),
    ("0 0 * *\0*", None, 8, "the character `\\u{0}`"),
    ("0 0 30 2 *", Some(Field::DayOfMonth), 5, "it would never run, as no day has day of month `30`"),
    ("0 0 0 31 4,6,9,NOV ?", Some(Field::DayOfMonth), 7, "it would never run"),
    ("0 0 L-30 2 *", Some(Field::DayOfMonth), 5, "it would never run"),
    ("0 0 30W 2 *", Some(Field::DayOfMonth), 5, "it would never run"),
    ("0 0 */31 * MON#5", Some(Field::DayOfMonth), 5, "it would never run"),
];

fn fault(expression: &str, zone: &str) -> Fault {
    Cron::parse(expression, zone).expect_err(expression)
}

#[test]
fn a_fault_says_where_it_is_and_what_is_allowed() {
    for (expression, field, column, part) in WRONG {
        let fault = fault(expression, "UTC");
        assert_eq!((fault.field(), fault.column()), (*field, Some(*column)), "{expression}: {fault}");
        let said = fault.to_string();
        assert!(said.contains(part), "{expression}: {said}");
        let place = field.map_or_else(String::new, |field| format!("{field}, "));
        assert!(said.starts_with(&format!("{place}column {column}: ")), "{expression}: {said}");
    }
}

#[test]
fn a_fault_reads_as_a_sentence() {
    assert_eq!(fault("0 25 * * *", "UTC").to_string(), "hour, column 3: `25` is not allowed; write 0 to 23");
}

#[test]
fn an_expression_is_not_longer_than_anyone_needs() {
    let fields = " * * * *";
    let fits = format!("{}0{fields}", "0,".repeat((255 - fields.len()) / 2));
    assert!(fits.len() > 254 && Cron::parse(&fits, "UTC").is_ok());
    let fault = fault(&format!("0,{fits} "), "UTC");
    assert_eq!(fault.column(), Some(257));
    assert!(fault.to_string().contains("at most 256 characters"), "{fault}");
}

#[test]
fn an_unknown_zone_is_named() {
    for zone in ["Berlin", "Europe/Berlim", "+02:00", "", "Etc/Unknown"] {
        let said = fault("* * * * *", zone).to_string();
        let expected = format!("unknown time zone `{zone}`; write a name such as `Europe/Berlin` or `UTC`");
        assert_eq!(said, expected);
    }
}

#[test]
fn a_zone_is_found_in_any_case_and_shown_as_it_is_named() {
    let cron = Cron::parse(" 0  3 * *\tMON-FRI ", "europe/berlin").unwrap();
    assert_eq!(cron.to_string(), "0 3 * * MON-FRI Europe/Berlin");
    assert_eq!(Cron::parse("@daily", "UTC").unwrap().to_string(), "@daily UTC");
}
