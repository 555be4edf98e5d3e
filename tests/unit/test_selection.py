"""Which collections a policy means."""

from holdfast.domain.selection import select

NAMES = ["backupdatas", "backupmetadatas", "feedback", "feedbackVotes", "timeEntries", "users"]


def test_without_a_list_all_are_meant_but_the_backups_themselves() -> None:
    assert select(NAMES).chosen == ("feedback", "feedbackVotes", "timeEntries", "users")


def test_backups_are_never_backed_up_even_when_named() -> None:
    assert select(NAMES, ["users", "backupdatas"]).chosen == ("users",)


def test_globs_and_names_may_be_mixed() -> None:
    assert select(NAMES, ["feedback*", "users"]).chosen == ("feedback", "feedbackVotes", "users")


def test_an_exclusion_wins_over_an_inclusion() -> None:
    assert select(NAMES, ["feedback*"], ["*Votes"]).chosen == ("feedback",)


def test_a_name_that_does_not_exist_is_told() -> None:
    assert select(NAMES, ["users", "invoices"]).missing == ("invoices",)


def test_a_glob_that_matches_nothing_is_told_too() -> None:
    assert select(NAMES, ["users", "inv*"]).missing == ("inv*",)


def test_a_name_with_glob_characters_can_be_given_as_it_is() -> None:
    assert select(["odd[1]", "odd1"], ["odd[1]"]).chosen == ("odd[1]", "odd1")


def test_case_matters() -> None:
    assert select(NAMES, ["Users"]).missing == ("Users",)
